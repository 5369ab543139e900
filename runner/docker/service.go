package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"

	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner"
)

// ServiceStart is the script that starts a service in its image; ServiceData is where its data are, in memory.
const (
	ServiceStart = "/usr/local/lib/assay/start"
	ServiceData  = "/data"
)

const (
	servicePids     = 256
	serviceFiles    = 1024
	serviceShmBytes = 64 << 20
	serviceTmpBytes = 16 << 20
	serviceLogBytes = 64 << 10
	// Unless the workload says otherwise.
	serviceMemoryBytes = 512 << 20
	serviceDataBytes   = 256 << 20
)

// serviceTags are the services there are, with the major version of each.
func serviceTags() map[string]string { return map[string]string{"postgres": "15", "redis": "7"} }

// ServiceNames lists the services that images can be made of.
func ServiceNames() []string { return slices.Sorted(maps.Keys(serviceTags())) }

// ServiceImage names the image of a service.
func ServiceImage(name string) (string, error) {
	tag, ok := serviceTags()[name]
	if !ok {
		return "", fmt.Errorf("there is no service %q; choose of %s", name, strings.Join(ServiceNames(), ", "))
	}
	return "assay/" + name + ":" + tag, nil
}

// MissingService is the error of a service whose image is not there.
func MissingService(name, image string) error {
	return fmt.Errorf("use image %s: %w; run assay setup --services %s", image, runner.ErrImageMissing, name)
}

// StartService starts a container of the service in the namespaces of the pod, on the driver's cores.
func (p *pod) StartService(ctx context.Context, s workload.Service) (_ runner.Service, err error) {
	if err := p.begin(); err != nil {
		return nil, err
	}
	defer p.starts.Done()
	began := time.Now()
	image, err := ServiceImage(s.Name)
	if err != nil {
		return nil, err
	}
	cfg := &container.Config{
		Image:        image,
		User:         serviceUser(),
		Entrypoint:   []string{"/bin/sh", ServiceStart},
		Env:          envList(map[string]string{"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}, s.Env),
		AttachStdout: true,
		AttachStderr: true,
	}
	id, err := p.e.create(ctx, roleService, cfg, p.serviceHost(s))
	if errors.Is(err, runner.ErrImageMissing) {
		return nil, MissingService(s.Name, image)
	}
	if err != nil {
		return nil, err
	}
	c := &candidate{
		e: p.e, id: id,
		stdout: runner.NewBoundedLog(serviceLogBytes), stderr: runner.NewBoundedLog(serviceLogBytes),
		copied: make(chan struct{}), ended: make(chan struct{}),
	}
	if err := c.start(ctx, cfg.Entrypoint, ""); err != nil {
		return nil, errors.Join(err, c.Close(ctx))
	}
	p.add(c)
	p.e.log.DebugContext(ctx, "service started", "name", s.Name, "id", id[:12], "took", time.Since(began))
	return c, nil
}

func serviceUser() string { return fmt.Sprintf("%d:%d", runner.ServiceUID, runner.ServiceUID) }

// serviceHost gives a service what it needs and no more. Its memory holds its data too.
func (p *pod) serviceHost(s workload.Service) *container.HostConfig {
	memory, data, pids := s.MemoryBytes, s.DataBytes, int64(servicePids)
	if memory == 0 {
		memory = serviceMemoryBytes
	}
	if data == 0 {
		data = serviceDataBytes
	}
	return harden(&container.HostConfig{
		NetworkMode: container.NetworkMode("container:" + p.id),
		PidMode:     container.PidMode("container:" + p.id),
		ShmSize:     serviceShmBytes,
		Tmpfs: map[string]string{
			ServiceData: fmt.Sprintf("noexec,nosuid,nodev,size=%d,uid=%d,gid=%d,mode=0700", data, runner.ServiceUID, runner.ServiceUID),
			"/tmp":      fmt.Sprintf("noexec,nosuid,nodev,size=%d,mode=1777", serviceTmpBytes),
		},
		Resources: container.Resources{
			Memory: memory, MemorySwap: memory, PidsLimit: &pids, CpusetCpus: p.spec.Slot.DriverCores,
			Ulimits: []*container.Ulimit{ulimit("nofile", serviceFiles), ulimit("core", 0)},
		},
	})
}
