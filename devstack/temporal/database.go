package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/resolver"
	"go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"
)

// retention is how long closed runs stay visible: as long as a person may want to look at a batch of last month.
const retention = 30 * 24 * time.Hour

// database is the SQLite configuration. It has one connection, the plugin's default: with more the server fails on locks.
func (s settings) database() *config.SQL {
	attributes := map[string]string{"mode": "memory", "cache": "shared"}
	name := "temporal-dev"
	if s.dbFilename != "" {
		attributes = map[string]string{"mode": "rwc"}
		// The plugin puts the name into a URI.
		name = (&url.URL{Path: s.dbFilename}).EscapedPath()
		for pragma, value := range s.pragmas {
			attributes[pragma] = value
		}
	}
	return &config.SQL{PluginName: sqliteplugin.PluginName, DatabaseName: name, ConnectAttributes: attributes}
}

// prepare creates what is missing in the database: the file, the tables, the namespaces. What exists is left alone.
func (s settings) prepare(db *config.SQL) error {
	if s.dbFilename != "" {
		if err := os.MkdirAll(filepath.Dir(s.dbFilename), 0o750); err != nil {
			return fmt.Errorf("create the database's directory: %w", err)
		}
		if err := createTables(db); err != nil {
			return fmt.Errorf("open the database %s (does another server use it?): %w", s.dbFilename, err)
		}
	}
	for _, name := range s.namespaces {
		namespace, err := sqlite.NewNamespaceConfig(clusterName, name, false, s.searchAttributes)
		if err != nil {
			return fmt.Errorf("namespace %s: %w", name, err)
		}
		namespace.Detail.Config.Retention = durationpb.New(retention)
		if err := sqlite.CreateNamespaces(db, namespace); err != nil {
			return fmt.Errorf("create namespace %s: %w", name, err)
		}
	}
	return nil
}

// createTables works in one transaction, so that a process killed in its midst leaves an empty file and not half a schema.
func createTables(cfg *config.SQL) error {
	db, err := sql.NewSQLAdminDB(sqlplugin.DbKindUnknown, cfg, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if err := db.Exec("BEGIN EXCLUSIVE"); err != nil {
		return err
	}
	tables, err := db.ListTables(cfg.DatabaseName)
	if err == nil && len(tables) == 0 {
		err = sqlite.SetupSchemaOnDB(db)
	}
	if err != nil {
		_ = db.Exec("ROLLBACK")
		return err
	}
	return db.Exec("COMMIT")
}
