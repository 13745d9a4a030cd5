package archtest

// anything marks packages that may import whatever they need: the composition roots, and what serves tests alone. No other package may
// import one of them.
var anything = Rule{Anything: true}

// outside is the part of the standard library that reaches the world beyond the process.
var outside = []string{"net", "net/http", "os", "os/exec", "os/signal", "os/user", "syscall"}

// Imports is the direction of dependencies: for each package of the module what it may import. A package that is not here fails the test, so
// that each new one is given its place on purpose.
var Imports = Table{
	// The language: pure, and below everything.
	"batch": {NotStd: outside},

	// Small rooms that know nothing of the product.
	"internal/secret":     {},
	"internal/strictjson": {Modules: []string{"github.com/go-json-experiment/json"}},
	"internal/jsonl":      {Modules: []string{"github.com/go-json-experiment/json"}, NotStd: outside},
	"internal/env":        {Own: []string{"internal/secret"}},
	"internal/httpserver": {Modules: []string{"golang.org/x"}},
	"internal/telemetry": {Modules: []string{
		"github.com/prometheus/client_golang", "go.opentelemetry.io/otel", "go.temporal.io/sdk", "golang.org/x",
	}},
	"internal/temporalclient": {Own: []string{"internal/secret"}, Modules: []string{"go.temporal.io/api", "go.temporal.io/sdk"}},

	// The outside world, each part behind one package.
	"internal/gateway": {
		Own:     []string{"internal/secret", "internal/strictjson"},
		Modules: []string{"github.com/openai/openai-go/v3", "github.com/go-json-experiment/json"},
		NotStd:  []string{"os", "os/exec", "os/signal", "os/user"},
	},
	"internal/blobstore":  {Own: []string{"batch"}, Modules: []string{"gocloud.dev"}},
	"internal/visibility": {Own: []string{"batch"}, Modules: []string{"go.temporal.io/api/enums/v1", "go.temporal.io/sdk/temporal"}},

	// What the command line and the worker must do alike.
	"internal/rowrules": {Own: []string{"batch", "internal/jsonl"}},

	// What the worker hosts.
	"activities": {
		Own:     []string{"batch", "internal/blobstore", "internal/gateway", "internal/jsonl", "internal/rowrules", "internal/secret"},
		Modules: []string{"go.temporal.io/sdk/activity", "go.temporal.io/sdk/temporal"},
	},
	"workflows": {
		Own: []string{"batch", "activities", "internal/visibility"},
		Modules: []string{
			"go.temporal.io/api/enums/v1",
			"go.temporal.io/sdk/activity", // the options under which an activity is registered
			"go.temporal.io/sdk/log", "go.temporal.io/sdk/temporal", "go.temporal.io/sdk/worker", "go.temporal.io/sdk/workflow",
		},
		NotStd: outside,
	},

	// What talks to Temporal from outside.
	".": {Own: []string{"batch"}, Modules: []string{"go.temporal.io/api", "go.temporal.io/sdk/client", "go.temporal.io/sdk/temporal"}},
	"webhookbridge/bridge": {
		Own: []string{"batch", "internal/env", "internal/gateway", "internal/httpserver", "internal/secret", "internal/telemetry"},
		Modules: []string{
			"github.com/prometheus/client_golang", "go.opentelemetry.io/otel", "go.temporal.io/api", "go.temporal.io/sdk/client",
			"go.temporal.io/sdk/converter", "golang.org/x", "google.golang.org/grpc", "google.golang.org/protobuf",
		},
	},
	"starter": {
		Own: []string{".", "batch", "internal/blobstore", "internal/env", "internal/gateway", "internal/jsonl", "internal/rowrules",
			"internal/secret", "internal/temporalclient"},
		Modules: []string{
			"github.com/alecthomas/kong", "go.temporal.io/api", "go.temporal.io/sdk", "golang.org/x",
		},
	},

	// What a user's own worker imports.
	"pages": {
		Own:     []string{"batch", "internal/blobstore", "internal/env", "internal/jsonl"},
		Modules: []string{"github.com/go-json-experiment/json"},
	},

	// What a user's program looks like.
	"examples/start":      {Own: []string{".", "batch"}, Modules: []string{"go.temporal.io/sdk"}},
	"examples/downstream": {Own: []string{".", "batch", "pages", "examples/downstream/ingest"}, Modules: []string{"go.temporal.io/sdk"}},
	"examples/downstream/ingest": {
		Own: []string{"batch", "pages"}, Modules: []string{"github.com/jackc/pgx/v5", "go.temporal.io/sdk"},
	},

	// Composition roots.
	"worker":         anything,
	"worker/app":     anything,
	"webhookbridge":  anything,
	"devstack":       anything,
	"devstack/stack": anything,
	"devstack/e2e":   anything,

	// Tests, and what they stand on.
	"bench":                        anything,
	"internal/archtest":            {},
	"internal/gateway/gatewaytest": anything,
	"internal/gateway/gatewaytest/conformance": anything,
	"test/system": anything,
}
