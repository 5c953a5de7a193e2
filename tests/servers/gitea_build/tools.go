//go:build tools

// Package tools pins Gitea, whose own replace lines forbid `go install`.
package tools

import _ "code.gitea.io/gitea"
