//go:build tools

// Package tools pins etcd: in one module with Kubernetes it would move what that depends on.
package tools

import _ "go.etcd.io/etcd/server/v3"
