package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"go.temporal.io/server/common/testing/freeport"
)

// listener is an address to listen on; the zero value is one that was not asked for.
type listener struct {
	ip   net.IP
	port int
}

// claim makes sure that the port can be listened on, because the server would otherwise end the process in the middle of its start; port
// 0 takes a free one.
func claim(flag string, ip net.IP, port int) (listener, error) {
	if port == 0 {
		port = freeport.MustGetFreePort()
	}
	l := listener{ip: ip, port: port}
	open, err := net.Listen("tcp", l.bind())
	if errors.Is(err, syscall.EADDRINUSE) {
		return listener{}, fmt.Errorf("listen on %s: the port is in use; stop what uses it or choose another one with %s", l.bind(), flag)
	}
	if err != nil {
		return listener{}, fmt.Errorf("%s: %w", flag, err)
	}
	return l, open.Close()
}

func claimUnlessZero(flag string, ip net.IP, port int) (listener, error) {
	if port == 0 {
		return listener{}, nil
	}
	return claim(flag, ip, port)
}

func (l listener) wanted() bool { return l.port != 0 }

// bind is the address to listen on.
func (l listener) bind() string { return net.JoinHostPort(l.ip.String(), strconv.Itoa(l.port)) }

// dial is an address at which a client on this machine finds the listener.
func (l listener) dial() string {
	ip := l.ip
	if ip.IsUnspecified() {
		ip = net.IPv4(127, 0, 0, 1)
	}
	return net.JoinHostPort(ip.String(), strconv.Itoa(l.port))
}
