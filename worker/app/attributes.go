package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"batchkeeper/internal/temporalclient"
	"batchkeeper/internal/visibility"
)

// attributesRetry is how often a namespace is looked at for attributes that
// somebody else has to register.
const attributesRetry = 5 * time.Second

// ensureAttributes makes sure that every search attribute exists with the right
// type, since an unknown one would fail every workflow task: it registers them
// where the server lets it, else says how and waits.
func ensureAttributes(ctx context.Context, c client.Client, logger *slog.Logger) error {
	target, err := temporalclient.Where()
	if err != nil {
		return err
	}
	return awaitAttributes(ctx, &operator{client: c, namespace: target.Namespace}, logger, attributesRetry)
}

// registrar is what the check needs of a server.
type registrar interface {
	Register(ctx context.Context, attributes map[string]enumspb.IndexedValueType) error
	Registered(ctx context.Context) (map[string]enumspb.IndexedValueType, error)
	Namespace() string
}

func awaitAttributes(ctx context.Context, r registrar, logger *slog.Logger, retry time.Duration) error {
	want := visibility.Definitions()
	said := ""
	for {
		refused := r.Register(ctx, want)
		have, err := r.Registered(ctx)
		if err == nil {
			missing, wrong := compare(want, have)
			if len(wrong) > 0 {
				return fmt.Errorf("search attributes of namespace %q have another type: %s: remove or rename them", r.Namespace(), strings.Join(wrong, "; "))
			}
			if len(missing) == 0 {
				return nil
			}
			err = fmt.Errorf("search attributes are missing; create them with:\n%s", commands(r.Namespace(), missing, want))
		}
		if message := errors.Join(err, refused).Error(); message != said {
			logger.Warn("waiting for search attributes, not polling for work", "error", message)
			said = message
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retry):
		}
	}
}

// compare names what is missing and what has another type, in order.
func compare(want, have map[string]enumspb.IndexedValueType) (missing, wrong []string) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		switch got, ok := have[name]; {
		case !ok:
			missing = append(missing, name)
		case got != want[name]:
			wrong = append(wrong, fmt.Sprintf("%s is %s, want %s", name, got, want[name]))
		}
	}
	return missing, wrong
}

func commands(namespace string, missing []string, want map[string]enumspb.IndexedValueType) string {
	var b strings.Builder
	for _, name := range missing {
		fmt.Fprintf(&b, "  temporal operator search-attribute create --namespace %s --name %s --type %s\n", namespace, name, want[name])
	}
	return b.String()
}

// operator is the registrar of a real server.
type operator struct {
	client    client.Client
	namespace string
}

func (o *operator) Namespace() string { return o.namespace }

// Register adds the attributes; on a server that leaves this to somebody else
// it does nothing.
func (o *operator) Register(ctx context.Context, attributes map[string]enumspb.IndexedValueType) error {
	_, err := o.client.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: o.namespace, SearchAttributes: attributes,
	})
	var exists *serviceerror.AlreadyExists
	if errors.As(err, &exists) {
		return nil
	}
	return err
}

// Registered lists the custom attributes. It asks the operator service and,
// where that is closed, the workflow service.
func (o *operator) Registered(ctx context.Context) (map[string]enumspb.IndexedValueType, error) {
	list, err := o.client.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: o.namespace})
	if err == nil {
		return list.GetCustomAttributes(), nil
	}
	all, other := o.client.WorkflowService().GetSearchAttributes(ctx, &workflowservice.GetSearchAttributesRequest{})
	if other != nil {
		return nil, fmt.Errorf("list search attributes: %w", err)
	}
	return all.GetKeys(), nil
}
