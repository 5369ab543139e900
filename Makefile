# make help shows what there is. Everything works from a fresh clone; what is there already is not made again.

# Versions of the tools; a change installs the new one.
GOLANGCI_LINT := 2.15.0
GOTESTSUM     := 1.13.0
AXE_CORE      := 4.14.1

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
TOOLS   := .tools
LINT    := $(TOOLS)/golangci-lint-$(GOLANGCI_LINT)
SUM     := $(TOOLS)/gotestsum-$(GOTESTSUM)
AXE     := $(TOOLS)/axe-core-$(AXE_CORE)/axe.min.js

.PHONY: help build downloads setup demo test lint tools docs fmt fuzz bench e2e-cgroup2 clean

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/assay, one static binary
	@mkdir -p bin
	@CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/assay ./cmd/assay

# Windows has none: assay runs in WSL there.
DOWNLOADS := linux-amd64 linux-arm64 darwin-amd64 darwin-arm64

downloads: ## build the programs that candidates download, into bin/downloads
	@mkdir -p bin/downloads
	@for t in $(DOWNLOADS); do echo "  assay-$$t"; CGO_ENABLED=0 GOOS=$${t%-*} GOARCH=$${t#*-} \
		go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/downloads/assay-$$t ./cmd/assay || exit 1; done

setup: build ## install and start what gradings need: the engine, the images
	@bin/assay setup

demo: setup ## grade a good and a flawed solution of one challenge and say where the reports are
	@bin/assay demo

test: tools ## set up what is missing and run every check and test; the last line has the totals
	@GOLANGCI_LINT=$(LINT) GOTESTSUM=$(SUM) scripts/test

lint: $(LINT) ## run the linters alone
	@$(LINT) run --timeout 8m

fmt: ## format the Go code
	@gofmt -l -w cmd runner graders challenges internal e2e scripts

docs: build ## write the pages of docs that are made from code
	@bin/assay docs docs

fuzz: ## give every parser of untrusted bytes random input, ten minutes in all
	@scripts/fuzz

bench: build ## compare the figures of Assay with known truth on this machine; bench.json has all of them
	@bin/assay bench all --json bench.json

e2e-cgroup2: build ## run the end-to-end tests in a virtual machine with cgroup version 2
	@scripts/e2e-cgroup2

tools: $(LINT) $(SUM) $(AXE) ## install the pinned tools into .tools

$(LINT):
	@echo "installing golangci-lint $(GOLANGCI_LINT)"
	@rm -f $(TOOLS)/golangci-lint*
	@CGO_ENABLED=0 GOBIN=$(CURDIR)/$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(GOLANGCI_LINT)
	@mv $(TOOLS)/golangci-lint $@

$(SUM):
	@echo "installing gotestsum $(GOTESTSUM)"
	@rm -f $(TOOLS)/gotestsum*
	@CGO_ENABLED=0 GOBIN=$(CURDIR)/$(TOOLS) go install gotest.tools/gotestsum@v$(GOTESTSUM)
	@mv $(TOOLS)/gotestsum $@

# What the browser tests find violations of accessibility with. It is under the MPL 2.0 and no part of the repository.
$(AXE):
	@echo "installing axe-core $(AXE_CORE)"
	@rm -rf $(TOOLS)/axe-core*
	@mkdir -p $(TOOLS)/axe-core
	@npm pack --silent --pack-destination $(TOOLS)/axe-core axe-core@$(AXE_CORE) >/dev/null
	@tar -xzf $(TOOLS)/axe-core/axe-core-$(AXE_CORE).tgz -C $(TOOLS)/axe-core --strip-components 1 package/axe.min.js package/LICENSE
	@mv $(TOOLS)/axe-core $(@D) && touch $@

clean: ## remove what make has made here; images and data sets stay (assay clean removes them)
	@rm -rf bin .test
