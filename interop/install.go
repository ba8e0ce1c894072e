package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// project finds the directory of the Node project.
func project(dir string) (string, error) {
	if dir != "" {
		return dir, nil
	}
	for _, dir := range []string{"interop", "."} {
		if _, err := os.Stat(filepath.Join(dir, "driver", "main.js")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("run it in the repository's root, or say -dir")
}

// install runs npm ci unless what the lockfile names is there. What it names
// is known by a copy of it in node_modules, left by the last install that
// succeeded.
func install(ctx context.Context, dir string) error {
	lockfile, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return err
	}
	mark := filepath.Join(dir, "node_modules", ".interop-lock.json")
	if installed, err := os.ReadFile(mark); err == nil && bytes.Equal(installed, lockfile) {
		return nil
	}
	fmt.Println("installing Cisco's SDK: npm ci")
	// Scripts of packages are not run: none is needed.
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("npm ci: %w", err)
	}
	return os.WriteFile(mark, lockfile, 0o644)
}
