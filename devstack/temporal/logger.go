package main

import (
	"go.temporal.io/server/common/log"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// newLogger logs to standard error. The level can be changed while the server runs.
func newLogger(f flags) (log.Logger, zap.AtomicLevel, error) {
	level := zap.NewAtomicLevelAt(zapcore.FatalLevel)
	if f.LogLevel != "never" {
		level.SetLevel(log.ParseZapLevel(f.LogLevel))
	}
	cfg := zap.NewProductionConfig()
	cfg.Level = level
	cfg.Sampling = nil
	cfg.DisableStacktrace = true
	cfg.DisableCaller = true // the server adds the place itself
	cfg.EncoderConfig.TimeKey = "time"
	cfg.EncoderConfig.EncodeTime = zapcore.RFC3339TimeEncoder
	if f.LogFormat != "json" {
		cfg.Encoding = "console"
	}
	built, err := cfg.Build()
	if err != nil {
		return nil, level, err
	}
	return log.NewZapLogger(built), level, nil
}
