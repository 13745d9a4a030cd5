// Package temporalclient makes every program reach Temporal in the same way:
// by the variables and the profile file that the Temporal CLI reads.
package temporalclient

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"
)

// apiKey is the only secret among Temporal's variables; like the others it may
// be given as a file.
const apiKey = "TEMPORAL_API_KEY" // #nosec G101 -- a name

// attemptTimeout bounds one try to connect.
const attemptTimeout = 10 * time.Second

// Options are what a program adds to the environment's settings.
type Options struct {
	// Logger takes the SDK's log lines; nil: slog.Default.
	Logger *slog.Logger
	// Metrics takes the SDK's metrics; nil: none.
	Metrics client.MetricsHandler
	// Identity names this process in histories; empty: the SDK's default.
	Identity string
}

// Target is where the environment's settings lead.
type Target struct {
	// Address is host:port, Namespace the Temporal namespace.
	Address, Namespace string
}

// Where returns the address and namespace that Dial uses.
func Where() (Target, error) {
	settings, err := load(Options{})
	if err != nil {
		return Target{}, err
	}
	return Target{Address: settings.HostPort, Namespace: settings.Namespace}, nil
}

// Dial connects once, within 10 s. Errors in the settings and a server that
// does not answer are both errors; see DialWhenReady for the latter.
//
// Failures are stored as the rest of a history is, in clear: no payload codec
// is set up here, so there is none to encode them with.
func Dial(ctx context.Context, o Options) (client.Client, error) {
	settings, err := load(o)
	if err != nil {
		return nil, err
	}
	return dial(ctx, settings)
}

func dial(ctx context.Context, settings client.Options) (client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	c, err := client.DialContext(ctx, settings)
	if err != nil {
		return nil, fmt.Errorf("connect to Temporal at %s, namespace %s: %w", settings.HostPort, settings.Namespace, err)
	}
	return c, nil
}

func load(o Options) (client.Options, error) {
	key, err := readKey()
	if err != nil {
		return client.Options{}, err
	}
	settings, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{EnvLookup: lookup{key: key}})
	if err != nil {
		return client.Options{}, fmt.Errorf("settings for Temporal (TEMPORAL_* variables and profile file): %w", err)
	}
	if settings.HostPort == "" {
		settings.HostPort = client.DefaultHostPort
	}
	if settings.Namespace == "" {
		settings.Namespace = client.DefaultNamespace
	}
	if key != "" {
		// Read anew for each call, so that a rotated key needs no restart.
		settings.Credentials = client.NewAPIKeyDynamicCredentials(func(context.Context) (string, error) { return readKey() })
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	settings.Logger = log.NewStructuredLogger(o.Logger)
	settings.MetricsHandler = o.Metrics
	settings.Identity = o.Identity
	return settings, nil
}

// readKey returns the content of TEMPORAL_API_KEY_FILE, "" where it is not set.
func readKey() (string, error) {
	path := os.Getenv(apiKey + "_FILE")
	if path == "" {
		return "", nil
	}
	if os.Getenv(apiKey) != "" {
		return "", fmt.Errorf("settings for Temporal: %s and %s_FILE: both are set: keep one", apiKey, apiKey)
	}
	raw, err := os.ReadFile(path) // #nosec G304 G703 -- the operator names the file
	if err != nil {
		return "", fmt.Errorf("settings for Temporal: %s_FILE: %w", apiKey, err)
	}
	key := strings.TrimSpace(string(raw))
	if key == "" {
		return "", fmt.Errorf("settings for Temporal: %s_FILE: %s is empty", apiKey, path)
	}
	return key, nil
}

// lookup is the environment with the API key's file resolved, so that TLS is
// switched on by it as by the variable.
type lookup struct{ key string }

// Environ returns the environment.
func (lookup) Environ() []string { return os.Environ() }

// LookupEnv finds a variable.
func (l lookup) LookupEnv(name string) (string, bool) {
	if name == apiKey && l.key != "" {
		return l.key, true
	}
	return os.LookupEnv(name)
}
