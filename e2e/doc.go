// Package e2e tests the built binary from outside, on a real engine. Its tests carry the build tag "integration".
package e2e
