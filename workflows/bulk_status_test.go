package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"batchkeeper/batch"
)

// A list by status finds a bulk run from its first moment to its last.
func TestBulkLifecycleStatus(t *testing.T) {
	f := newFloor(t, 1)
	var written []string
	f.env.OnUpsertTypedSearchAttributes(mock.Anything).Run(func(args mock.Arguments) {
		a := args.Get(0).(temporal.SearchAttributes)
		if status, ok := a.GetKeyword(temporal.NewSearchAttributeKeyKeyword(batch.AttrLifecycleStatus)); ok {
			written = append(written, status)
		}
	}).Return(nil)
	f.at(time.Minute, func() { require.Equal(t, batch.Running, f.state().LifecycleStatus) })
	e := f.runBulk(bulkJob)
	require.Equal(t, batch.Completed, e.LifecycleStatus)
	require.Equal(t, []string{"pending", "running", "completed"}, written)
}
