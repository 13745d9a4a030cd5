package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/server/common/log"
)

func TestServesClientsAndBrowsersUntilTold(t *testing.T) {
	server := start(t, "server", "start-dev", "--port", "0", "--namespace", "tenant", "--search-attribute", "Color=Keyword", "--log-level", "warn")
	c := server.dial(t)

	namespaces, err := c.WorkflowService().ListNamespaces(t.Context(), &workflowservice.ListNamespacesRequest{})
	require.NoError(t, err)
	var names []string
	for _, namespace := range namespaces.GetNamespaces() {
		names = append(names, namespace.GetNamespaceInfo().GetName())
		if namespace.GetNamespaceInfo().GetName() == "default" {
			require.Equal(t, retention, namespace.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration())
		}
	}
	require.Subset(t, names, []string{"default", "tenant"})

	_, err = c.OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{
		Namespace: "default", SearchAttributes: map[string]enumspb.IndexedValueType{"Size": enumspb.INDEXED_VALUE_TYPE_INT},
	})
	require.NoError(t, err)
	attributes, err := c.OperatorService().ListSearchAttributes(t.Context(), &operatorservice.ListSearchAttributesRequest{Namespace: "default"})
	require.NoError(t, err)
	require.Equal(t, enumspb.INDEXED_VALUE_TYPE_KEYWORD, attributes.GetCustomAttributes()["Color"])
	require.Equal(t, enumspb.INDEXED_VALUE_TYPE_INT, attributes.GetCustomAttributes()["Size"])

	requireOK(t, server.ui+"/namespaces/default/workflows")

	require.NoError(t, server.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, server.cmd.Wait())
	require.Empty(t, server.log.String(), "a clean start and stop has nothing to say")
}

func requireOK(t *testing.T, url string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
}

func TestKeepsRunsInItsFileWhenKilled(t *testing.T) {
	file := databaseFile(t)
	first := start(t, "--port", "0", "--headless", "--db-filename", file)
	_, err := first.dial(t).ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "kept", TaskQueue: "nobody"}, "Anything")
	require.NoError(t, err)

	require.Contains(t, runToFailure(t, "--port", "0", "--headless", "--db-filename", file), "does another server use it?")

	require.NoError(t, first.cmd.Process.Signal(os.Kill))
	require.Error(t, first.cmd.Wait())

	second := start(t, "--port", "0", "--headless", "--db-filename", file)
	require.Equal(t, "none", second.ui)
	kept, err := second.dial(t).DescribeWorkflowExecution(t.Context(), "kept", "")
	require.NoError(t, err)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, kept.GetWorkflowExecutionInfo().GetStatus())
}

func TestNamesThePortThatIsInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, taken.Close()) }()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	require.NoError(t, err)

	for _, flag := range []string{"--port", "--ui-port", "--http-port", "--metrics-port"} {
		args := []string{flag, port}
		if flag != "--port" {
			args = append(args, "--port", "0")
		}
		message := runToFailure(t, args...)
		require.Contains(t, message, "listen on 127.0.0.1:"+port+": the port is in use")
		require.Contains(t, message, flag)
	}
}

func TestIsStartedByTheSDK(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	t.Setenv(asServer, "1")
	color := temporal.NewSearchAttributeKeyKeyword("Color")
	server, err := testsuite.StartDevServer(t.Context(), testsuite.DevServerOptions{
		ExistingPath:     self,
		ClientOptions:    &client.Options{Namespace: "tests", Logger: log.NewSdkLogger(log.NewNoopLogger())},
		DBFilename:       databaseFile(t),
		EnableUI:         true,
		LogLevel:         "warn",
		LogFormat:        "json",
		SearchAttributes: temporal.NewSearchAttributes(color.ValueSet("")),
		ExtraArgs:        []string{"--sqlite-pragma", "synchronous=2", "--dynamic-config-value", "matching.numTaskqueueReadPartitions=1"},
		Stdout:           io.Discard,
	})
	require.NoError(t, err)
	_, err = server.Client().ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		TaskQueue: "nobody", TypedSearchAttributes: temporal.NewSearchAttributes(color.ValueSet("red")),
	}, "Anything")
	require.NoError(t, err)
	require.NoError(t, server.Stop())
}
