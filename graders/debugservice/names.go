package debugservice

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	lookupTakes = 6 * time.Millisecond
	lookupTTL   = 60 // seconds
	// maxLookups bounds the questions that are answered; the counter goes on.
	maxLookups = 100_000
)

// nameServer answers every question for one name with 127.0.0.1, and all others with "no such name".
type nameServer struct {
	addr string
	host string
	nc   net.PacketConn
	wg   sync.WaitGroup
	// asked counts questions.
	asked atomic.Int64
}

// startNames listens on a port of its own. Close ends it.
func startNames(host string) (*nameServer, error) {
	nc, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("start name server: %w", err)
	}
	s := &nameServer{addr: nc.LocalAddr().String(), host: host + ".", nc: nc}
	s.wg.Go(s.serve)
	return s, nil
}

// Close ends it; answers that are being waited for are not sent.
func (s *nameServer) Close() {
	_ = s.nc.Close()
	s.wg.Wait()
}

func (s *nameServer) serve() {
	buffer := make([]byte, 1500)
	for {
		n, from, err := s.nc.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // e.g. an answer that could not be delivered
			continue
		}
		if s.asked.Add(1) > maxLookups {
			continue
		}
		if answer, ok := s.answer(buffer[:n]); ok {
			s.wg.Go(func() {
				time.Sleep(lookupTakes)
				_, _ = s.nc.WriteTo(answer, from) // who does not get it asks again
			})
		}
	}
}

// answer makes the reply to a question; ok is false for what is none.
func (s *nameServer) answer(question []byte) (text []byte, ok bool) {
	var p dnsmessage.Parser
	head, err := p.Start(question)
	if err != nil || head.Response {
		return nil, false
	}
	q, err := p.Question()
	if err != nil {
		return nil, false
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: head.ID, Response: true, Authoritative: true, RecursionDesired: head.RecursionDesired, RecursionAvailable: true},
		Questions: []dnsmessage.Question{q},
	}
	switch {
	case !strings.EqualFold(q.Name.String(), s.host):
		m.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: lookupTTL},
			Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
		}}
	}
	text, err = m.Pack()
	return text, err == nil
}
