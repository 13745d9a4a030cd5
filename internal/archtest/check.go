// Package archtest keeps the direction of imports: data flows down only, and a change at the gateway or in the store stays behind one package.
package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// Rule says what one package may import besides the standard library.
type Rule struct {
	// Own are the packages of this module, relative to its root ("." is the root itself).
	Own []string
	// Modules are path prefixes of other modules' packages.
	Modules []string
	// NotStd are the packages of the standard library that it must not import.
	NotStd []string
	// Anything lifts all limits.
	Anything bool
}

// Table maps the packages of a module, relative to its root, to their rules.
type Table map[string]Rule

// Package is a package with the imports of its files that are not tests.
type Package struct {
	ImportPath string
	Imports    []string
}

// Check returns one line for each import that the table does not allow, and for each package that it does not know.
func (t Table) Check(module string, packages []Package) []string {
	var problems []string
	for _, p := range packages {
		name := within(module, p.ImportPath)
		rule, known := t[name]
		if !known {
			problems = append(problems, fmt.Sprintf("%s is not in the table of internal/archtest: add it, with what it may import", name))
			continue
		}
		for _, path := range p.Imports {
			if !rule.allows(module, path) {
				problems = append(problems, fmt.Sprintf("%s must not import %s", name, path))
			}
		}
	}
	return problems
}

func (r Rule) allows(module, path string) bool {
	own := within(module, path)
	switch {
	case r.Anything:
		return true
	case own != "":
		return slices.Contains(r.Own, own)
	case isStandard(path):
		return !slices.Contains(r.NotStd, path)
	default:
		return slices.ContainsFunc(r.Modules, func(prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") })
	}
}

// within is the path relative to the module, "." for its root and "" for a package of another module.
func within(module, path string) string {
	if path == module {
		return "."
	}
	relative, inside := strings.CutPrefix(path, module+"/")
	if !inside {
		return ""
	}
	return relative
}

// isStandard relies on the go command's rule that only the standard library has no dot in the first element of its paths.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}
