package egress

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
)

// Main is the hidden subcommand that the build's two helper containers run:
//
//	serve   -listen unix:/path -allow https://registry.example [-allow …] [-upstream http://proxy:8080]
//	forward -listen tcp:127.0.0.1:3128 -to unix:/path
//
// It logs events to stdout, the first of them EventListening, and returns nil when ctx is over.
func Main(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return errors.New("run egress: say serve or forward")
	}
	set := flag.NewFlagSet("egress-proxy "+args[0], flag.ContinueOnError)
	set.SetOutput(io.Discard) // the error says it all
	listen := set.String("listen", "", "where connections come in")
	to := set.String("to", "", "unix socket of the proxy")
	upstream := set.String("upstream", "", "proxy of the machine")
	var allow []string
	set.Func("allow", "origin that may be reached", func(s string) error {
		allow = append(allow, s)
		return nil
	})
	if err := set.Parse(args[1:]); err != nil {
		return fmt.Errorf("run egress: %w", err)
	}
	log := newEventLog(stdout)
	switch args[0] {
	case "serve":
		cfg := Config{Allow: allow, Log: stdout}
		if *upstream != "" {
			u, err := url.Parse(*upstream)
			if err != nil {
				return errors.New("run egress: the upstream proxy is not a URL") // it may hold a password
			}
			cfg.Upstream = u
		}
		p, err := New(cfg)
		if err != nil {
			return err
		}
		return listenAnd(ctx, *listen, log, p.Serve)
	case "forward":
		path, ok := strings.CutPrefix(*to, "unix:")
		if !ok {
			return errors.New("run egress: -to must be unix:/path")
		}
		return listenAnd(ctx, *listen, log, func(ctx context.Context, ln net.Listener) error { return Forward(ctx, ln, path) })
	}
	return fmt.Errorf("run egress: %q is neither serve nor forward", args[0])
}

// listenAnd opens "network:address", says so in the log, and serves it.
func listenAnd(ctx context.Context, listen string, log *eventLog, serve func(context.Context, net.Listener) error) error {
	network, address, ok := strings.Cut(listen, ":")
	if !ok || network != "unix" && network != "tcp" {
		return errors.New("run egress: -listen must be unix:/path or tcp:host:port")
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, network, address)
	if err != nil {
		return fmt.Errorf("run egress: %w", err)
	}
	log.listening()
	return serve(ctx, ln)
}
