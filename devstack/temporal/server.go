package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/common/testing/freeport"
	"go.temporal.io/server/temporal"
)

const (
	clusterName = "active"
	loopback    = "127.0.0.1"
)

// newServer prepares the database and wires the four services of one server in this process.
func newServer(s settings, logger log.Logger) (temporal.Server, error) {
	db := s.database()
	if err := s.prepare(db); err != nil {
		return nil, err
	}
	cfg := s.config(db)
	return temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(s.hosts(cfg.Services)),
		temporal.WithDynamicConfigClient(s.dynamicConfig),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }),
	)
}

func (s settings) config(db *config.SQL) *config.Config {
	return &config.Config{
		Global: config.Global{
			Membership: config.Membership{MaxJoinDuration: 30 * time.Second, BroadcastAddress: loopback},
			Metrics:    s.metricsConfig(),
		},
		Persistence: config.Persistence{
			DefaultStore:     db.PluginName,
			VisibilityStore:  db.PluginName,
			NumHistoryShards: 1, // one connection to one file: more shards would only wait for each other
			DataStores:       map[string]config.DataStore{db.PluginName: {SQL: db}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: s.frontend.dial()},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services:            s.services(),
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
		}},
		PublicClient: config.PublicClient{HostPort: s.frontend.dial()},
	}
}

func (s settings) metricsConfig() *metrics.Config {
	if !s.metrics.wanted() {
		return nil
	}
	return &metrics.Config{Prometheus: &metrics.PrometheusConfig{ListenAddress: s.metrics.bind(), HandlerPath: "/metrics"}}
}

// services gives the frontend the address that was asked for; the others are nobody's business outside this process.
func (s settings) services() map[string]config.Service {
	services := map[string]config.Service{
		string(primitives.FrontendService): {RPC: config.RPC{
			GRPCPort: s.frontend.port, HTTPPort: s.http.port, BindOnIP: s.frontend.ip.String(),
		}},
	}
	for _, name := range []primitives.ServiceName{primitives.HistoryService, primitives.MatchingService, primitives.WorkerService} {
		services[string(name)] = config.Service{RPC: config.RPC{GRPCPort: freeport.MustGetFreePort(), BindOnLocalHost: true}}
	}
	return services
}

// hosts spares the server its gossip: each service has exactly one host, this process.
func (s settings) hosts(services map[string]config.Service) map[primitives.ServiceName]static.Hosts {
	hosts := map[primitives.ServiceName]static.Hosts{}
	for name, service := range services {
		hosts[primitives.ServiceName(name)] = static.SingleLocalHost(net.JoinHostPort(loopback, strconv.Itoa(service.RPC.GRPCPort)))
	}
	hosts[primitives.FrontendService] = static.SingleLocalHost(s.frontend.dial())
	return hosts
}

// waitForFrontend returns once a client can connect.
func waitForFrontend(ctx context.Context, s settings, logger log.Logger) error {
	c, err := client.DialContext(ctx, client.Options{HostPort: s.frontend.dial(), Logger: log.NewSdkLogger(logger)})
	if err != nil {
		return fmt.Errorf("connect to the server just started: %w", err)
	}
	c.Close()
	return nil
}
