package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/dynamicconfig"
)

// flags are those of `temporal server start-dev`, so that whatever starts that command can start this one.
type flags struct {
	Port        int    `short:"p" default:"7233" help:"Port of the frontend; 0 takes a free one."`
	UIPort      *int   `name:"ui-port" placeholder:"PORT" help:"Port of the Web UI; 0 for no Web UI. Default: --port + 1000."`
	HTTPPort    int    `name:"http-port" placeholder:"PORT" help:"Port of the frontend's HTTP API. Default: a free one."`
	MetricsPort int    `name:"metrics-port" placeholder:"PORT" help:"Port of the Prometheus endpoint /metrics. Default: none."`
	IP          string `name:"ip" default:"127.0.0.1" help:"Address to listen on."`
	UIIP        string `name:"ui-ip" placeholder:"ADDRESS" help:"Address the Web UI listens on. Default: --ip."`
	Headless    bool   `help:"Start without the Web UI."`

	DBFilename string   `name:"db-filename" short:"f" placeholder:"FILE" help:"Keep everything in this SQLite file. Default: memory."`
	Pragmas    []string `name:"sqlite-pragma" sep:"none" placeholder:"NAME=VALUE" help:"SQLite pragma; may be repeated."`

	Namespaces       []string `name:"namespace" short:"n" sep:"none" placeholder:"NAME" help:"Namespace to create beside 'default'; may be repeated."`
	SearchAttributes []string `name:"search-attribute" sep:"none" placeholder:"NAME=TYPE" help:"Search attribute of each new namespace; may be repeated."`
	DynamicConfig    []string `name:"dynamic-config-value" sep:"none" placeholder:"KEY=JSON" help:"Setting of the server; may be repeated."`

	LogLevel  string `name:"log-level" default:"error" enum:"debug,info,warn,error,never" help:"Lowest level that is logged: ${enum}."`
	LogFormat string `name:"log-format" default:"text" enum:"text,pretty,json" help:"Form of the log: ${enum}."`

	UIPublicPath    string `name:"ui-public-path" placeholder:"PATH" help:"Path below which the Web UI is served."`
	UIAssetPath     string `name:"ui-asset-path" placeholder:"DIR" help:"Directory with other Web UI files."`
	UICodecEndpoint string `name:"ui-codec-endpoint" placeholder:"URL" help:"Codec server of the Web UI."`

	Version bool `short:"v" help:"Print the versions and exit."`
}

// settings are the values that the flags stand for.
type settings struct {
	frontend, ui, http, metrics listener
	dbFilename                  string
	pragmas                     map[string]string
	namespaces                  []string
	searchAttributes            map[string]enumspb.IndexedValueType
	dynamicConfig               dynamicconfig.StaticClient
}

func (f flags) settings() (settings, error) {
	s := settings{dbFilename: f.DBFilename, namespaces: f.allNamespaces()}
	for _, parse := range []func(flags) error{s.readListeners, s.readPragmas, s.readSearchAttributes, s.readDynamicConfig} {
		if err := parse(f); err != nil {
			return settings{}, err
		}
	}
	return s, nil
}

func (f flags) allNamespaces() []string {
	all := []string{"default"}
	for _, name := range f.Namespaces {
		if name != "default" {
			all = append(all, name)
		}
	}
	return all
}

func (s *settings) readListeners(f flags) error {
	ip, err := net.ResolveIPAddr("ip", f.IP)
	if err != nil {
		return fmt.Errorf("--ip: %w", err)
	}
	uiIP := ip
	if f.UIIP != "" {
		if uiIP, err = net.ResolveIPAddr("ip", f.UIIP); err != nil {
			return fmt.Errorf("--ui-ip: %w", err)
		}
	}
	if s.frontend, err = claim("--port", ip.IP, f.Port); err != nil {
		return err
	}
	if s.ui, err = f.claimUI(uiIP.IP); err != nil {
		return err
	}
	if s.http, err = claim("--http-port", ip.IP, f.HTTPPort); err != nil {
		return err
	}
	s.metrics, err = claimUnlessZero("--metrics-port", ip.IP, f.MetricsPort)
	return err
}

// claimUI knows three cases: a port that was asked for, none at all, and the one that goes with the frontend's.
func (f flags) claimUI(ip net.IP) (listener, error) {
	switch {
	case f.Headless:
		return listener{}, nil
	case f.UIPort != nil:
		return claimUnlessZero("--ui-port", ip, *f.UIPort)
	case f.Port == 0:
		return claim("--ui-port", ip, 0)
	default:
		return claim("--ui-port", ip, f.Port+1000)
	}
}

func (s *settings) readPragmas(f flags) error {
	// The write-ahead log is several times faster than the default journal, and like it survives a killed process. The exclusive lock
	// keeps a second server from corrupting the file.
	s.pragmas = map[string]string{"journal_mode": "wal", "synchronous": "1", "locking_mode": "exclusive"}
	return eachPair("--sqlite-pragma", f.Pragmas, func(name, value string) error {
		s.pragmas[strings.ToLower(name)] = value
		return nil
	})
}

func (s *settings) readSearchAttributes(f flags) error {
	s.searchAttributes = map[string]enumspb.IndexedValueType{}
	return eachPair("--search-attribute", f.SearchAttributes, func(name, value string) error {
		kind, err := enumspb.IndexedValueTypeFromString(value)
		s.searchAttributes[name] = kind
		return err
	})
}

func (s *settings) readDynamicConfig(f flags) error {
	s.dynamicConfig = dynamicconfig.StaticClient{
		dynamicconfig.EnableServerVersionCheck.Key(): false,
		// A search attribute can be used as soon as it is registered.
		dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key(): true,
		// The default, one second, makes each shorter timer fire a second late.
		dynamicconfig.TimerProcessorMaxTimeShift.Key(): "5ms",
		// Without it the server ignores fairness keys.
		dynamicconfig.MatchingEnableFairness.Key(): true,
	}
	return eachPair("--dynamic-config-value", f.DynamicConfig, func(key, value string) error {
		decoder := json.NewDecoder(strings.NewReader(value))
		decoder.UseNumber()
		var decoded any
		if err := decoder.Decode(&decoded); err != nil || decoder.More() {
			return fmt.Errorf("the value is not JSON: %w", errors.Join(err, errors.New("want one JSON value")))
		}
		s.dynamicConfig[dynamicconfig.MakeKey(key)] = typed(decoded)
		return nil
	})
}

// typed gives numbers the types that the server's settings have: a whole one that arrives as a float is silently ignored there.
func typed(v any) any {
	switch v := v.(type) {
	case json.Number:
		if whole, err := v.Int64(); err == nil {
			return int(whole)
		}
		fraction, _ := v.Float64() // the decoder took it for a number
		return fraction
	case []any:
		for i := range v {
			v[i] = typed(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = typed(v[key])
		}
	}
	return v
}

func eachPair(flag string, pairs []string, use func(name, value string) error) error {
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return fmt.Errorf("%s %q: want NAME=VALUE", flag, pair)
		}
		if err := use(name, value); err != nil {
			return fmt.Errorf("%s %q: %w", flag, pair, err)
		}
	}
	return nil
}
