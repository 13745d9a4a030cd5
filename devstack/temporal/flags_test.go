package main

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/dynamicconfig"
)

func TestSettingsTakeTheLastWord(t *testing.T) {
	f, err := parse([]string{"server", "start-dev", "--port", "0", "--headless=true", "--ip", "localhost",
		"--sqlite-pragma", "synchronous=2", "--dynamic-config-value", "frontend.enableServerVersionCheck=true",
		"--dynamic-config-value", `a.map={"x":1,"y":2.5}`, "--dynamic-config-value", "a.list=[3]", "-n", "default", "-n", "b"})
	require.NoError(t, err)
	s, err := f.settings()
	require.NoError(t, err)
	require.Equal(t, map[string]string{"journal_mode": "wal", "locking_mode": "exclusive", "synchronous": "2"}, s.pragmas)
	require.Equal(t, true, s.dynamicConfig[dynamicconfig.EnableServerVersionCheck.Key()])
	require.Equal(t, map[string]any{"x": 1, "y": 2.5}, s.dynamicConfig[dynamicconfig.MakeKey("a.map")])
	require.Equal(t, []any{3}, s.dynamicConfig[dynamicconfig.MakeKey("a.list")])
	require.Equal(t, []string{"default", "b"}, s.namespaces)
	require.False(t, s.ui.wanted())
	require.NotZero(t, s.frontend.port)
}

func TestUIPort(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want func(s settings) bool
	}{
		"goes with a free port":      {[]string{"--port", "0"}, func(s settings) bool { return s.ui.wanted() }},
		"zero is no Web UI":          {[]string{"--port", "0", "--ui-port", "0"}, func(s settings) bool { return !s.ui.wanted() }},
		"headless is no Web UI":      {[]string{"--port", "0", "--headless"}, func(s settings) bool { return !s.ui.wanted() }},
		"headless wins over a port":  {[]string{"--port", "0", "--ui-port", "1", "--headless"}, func(s settings) bool { return !s.ui.wanted() }},
		"has an address of its own":  {[]string{"--port", "0", "--ui-ip", "127.0.0.2"}, func(s settings) bool { return s.ui.ip.String() == "127.0.0.2" }},
		"is dialed where it listens": {[]string{"--port", "0", "--ip", "0.0.0.0"}, func(s settings) bool { return s.ui.dial()[:9] == "127.0.0.1" }},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := parse(test.args)
			require.NoError(t, err)
			s, err := f.settings()
			require.NoError(t, err)
			require.True(t, test.want(s))
		})
	}
}

func TestMalformedValuesAreNamed(t *testing.T) {
	for _, test := range []struct{ flag, value, want string }{
		{"--sqlite-pragma", "wal", `--sqlite-pragma "wal": want NAME=VALUE`},
		{"--search-attribute", "Color", `--search-attribute "Color": want NAME=VALUE`},
		{"--search-attribute", "Color=Purple", `--search-attribute "Color=Purple": Purple is not a valid IndexedValueType`},
		{"--dynamic-config-value", "a.b=c", `--dynamic-config-value "a.b=c": the value is not JSON`},
	} {
		f, err := parse([]string{"--port", "0", "--headless", test.flag, test.value})
		require.NoError(t, err)
		_, err = f.settings()
		require.ErrorContains(t, err, test.want)
	}
	_, err := parse([]string{"--log-level", "loud"})
	require.ErrorContains(t, err, "--log-level")
}
