package kernel

import "path/filepath"

// Machine reads figures of the whole machine: what was taken from it, and what it was short of. Files that are
// missing give 0. It is not safe for concurrent use.
type Machine struct {
	StealNs         int64
	CPU, Memory, IO Pressure

	stat, cpu, memory, io file

	buf []byte
}

// OpenMachine opens the figures of the machine.
func (f FS) OpenMachine() *Machine {
	m := &Machine{buf: make([]byte, 64<<10)} // /proc/stat has a line a core
	_ = m.stat.open(filepath.Join(f.Proc, "stat"))
	_ = m.cpu.open(filepath.Join(f.Proc, "pressure", "cpu"))
	_ = m.memory.open(filepath.Join(f.Proc, "pressure", "memory"))
	_ = m.io.open(filepath.Join(f.Proc, "pressure", "io"))
	return m
}

// Read reads everything once.
func (m *Machine) Read() {
	if b, err := m.stat.read(m.buf); err == nil {
		if ticks, ok := ParseSteal(b); ok {
			m.StealNs = ticks * TickNs
		}
	}
	m.pressure(&m.cpu, &m.CPU)
	m.pressure(&m.memory, &m.Memory)
	m.pressure(&m.io, &m.IO)
}

func (m *Machine) pressure(f *file, p *Pressure) {
	if b, err := f.read(m.buf); err == nil {
		if v, ok := ParsePressure(b); ok {
			*p = v
		}
	}
}

// Close closes its files.
func (m *Machine) Close() {
	m.stat.close()
	m.cpu.close()
	m.memory.close()
	m.io.close()
}
