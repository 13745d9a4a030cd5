package archtest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/archtest"
)

const module = "batchkeeper"

func TestImportsFlowDownOnly(t *testing.T) {
	packages := list(t)
	require.NotEmpty(t, packages)
	for _, problem := range archtest.Imports.Check(module, packages) {
		t.Error(problem)
	}
}

// list asks the go command for the module's packages; a broken one is listed too, its compiler error is somebody else's to report.
func list(t *testing.T) []archtest.Package {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-tags", "system", "-json=ImportPath,Imports", module+"/...")
	out, err := cmd.Output()
	require.NoError(t, err)
	var packages []archtest.Package
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p archtest.Package
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		require.NoError(t, err)
		packages = append(packages, p)
	}
}

func TestCheckNamesEachViolation(t *testing.T) {
	table := archtest.Table{
		".":    {Own: []string{"core"}, Modules: []string{"example.com/lib"}},
		"core": {NotStd: []string{"os"}},
		"main": {Anything: true},
	}
	for name, test := range map[string]struct {
		pkg     string
		imports []string
		want    []string
	}{
		"the standard library is free":       {"core", []string{"time", "net/url"}, nil},
		"but for what is named":              {"core", []string{"os"}, []string{"core must not import os"}},
		"a package above":                    {"core", []string{module}, []string{"core must not import batchkeeper"}},
		"a package below":                    {"", []string{module + "/core"}, nil},
		"a composition root":                 {"", []string{module + "/main"}, []string{". must not import batchkeeper/main"}},
		"a package below another":            {"", []string{module + "/core/deep"}, []string{". must not import batchkeeper/core/deep"}},
		"a library":                          {"", []string{"example.com/lib", "example.com/lib/part"}, nil},
		"a library with a similar name":      {"", []string{"example.com/library"}, []string{". must not import example.com/library"}},
		"a module with a similar name":       {"core", []string{"batchkeeper.example/x"}, []string{"core must not import batchkeeper.example/x"}},
		"everything for a composition root":  {"main", []string{"os", "example.com/other", module + "/core"}, nil},
		"each violation on a line of itself": {"core", []string{"os", "a.b/c"}, []string{"core must not import os", "core must not import a.b/c"}},
		"a package without a place": {"new", nil, []string{
			"new is not in the table of internal/archtest: add it, with what it may import",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			path := module
			if test.pkg != "" {
				path += "/" + test.pkg
			}
			require.Equal(t, test.want, table.Check(module, []archtest.Package{{ImportPath: path, Imports: test.imports}}))
		})
	}
}

func TestTheTableWouldCatchTheUsualMistakes(t *testing.T) {
	for pkg, path := range map[string]string{
		"batch":                "go.temporal.io/sdk/workflow",
		"internal/jsonl":       "os",
		"internal/gateway":     "go.temporal.io/sdk/temporal",
		"internal/blobstore":   "go.temporal.io/sdk/activity",
		"internal/visibility":  "go.temporal.io/sdk/client",
		"activities":           "batchkeeper/workflows",
		"workflows":            "net/http",
		"webhookbridge/bridge": "batchkeeper/internal/blobstore",
		"starter":              "batchkeeper/workflows",
		"internal/telemetry":   "batchkeeper/batch",
		"internal/env":         "batchkeeper/internal/gateway/gatewaytest",
	} {
		got := archtest.Imports.Check(module, []archtest.Package{{ImportPath: module + "/" + pkg, Imports: []string{path}}})
		require.Equal(t, []string{pkg + " must not import " + path}, got)
	}
}
