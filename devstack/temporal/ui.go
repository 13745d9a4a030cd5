package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
)

// newUI wires the Web UI; it shows the first namespace that was asked for.
func newUI(s settings, f flags) *uiserver.Server {
	return uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
		TemporalGRPCAddress: s.frontend.dial(),
		Host:                hostInURL(s.ui.ip),
		Port:                s.ui.port,
		PublicPath:          f.UIPublicPath,
		UIAssetPath:         f.UIAssetPath,
		Codec:               uiconfig.Codec{Endpoint: f.UICodecEndpoint},
		DefaultNamespace:    append(f.Namespaces, "default")[0],
		EnableUI:            true,
		CORS:                uiconfig.CORS{CookieInsecure: true}, // served over plain HTTP
		HideLogs:            true,
		DisableNewsFetch:    true,
	}))
}

func hostInURL(ip net.IP) string {
	if ip.To4() == nil {
		return "[" + ip.String() + "]"
	}
	return ip.String()
}

// startUI returns once the Web UI answers.
func startUI(ctx context.Context, ui *uiserver.Server, s settings) error {
	failed := make(chan error, 1)
	go func() { failed <- ui.Start() }()
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for {
		if answers(ctx, "http://"+s.ui.dial()+"/healthz") {
			return nil
		}
		select {
		case err := <-failed:
			return fmt.Errorf("start the Web UI: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("start the Web UI: %w", ctx.Err())
		case <-retry.C:
		}
	}
}

func answers(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}
