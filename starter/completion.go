package main

import (
	"context"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// The scripts ask this program itself, so that they know what it knows.
var completionScripts = map[string]string{
	"bash": `# source <(starter completion bash)
_starter() {
  local words
  words=$(starter __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _starter starter`,
	"zsh": `#compdef starter
# source <(starter completion zsh)
_starter() {
  local -a found
  found=("${(@f)$(starter __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -- "${found[@]}"; else _files; fi
}
compdef _starter starter`,
	"fish": `# starter completion fish | source
complete -c starter -a '(starter __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'`,
}

// Run prints the script.
func (c *completionCmd) Run(a *app) error { return a.print("%s", completionScripts[c.Shell]) }

type completeCmd struct {
	Words []string `arg:"" optional:""`
}

// Run prints what may stand in place of the last word, one a line.
func (c *completeCmd) Run(_ context.Context, a *app) error {
	parser, err := newParser(*a)
	if err != nil {
		return err
	}
	for _, word := range candidates(parser.Model, c.Words) {
		if err := a.print("%s", word); err != nil {
			return err
		}
	}
	return nil
}

// candidates are the words that may stand last.
func candidates(model *kong.Application, words []string) []string {
	last, before := "", words
	if len(words) > 0 {
		last, before = words[len(words)-1], words[:len(words)-1]
	}
	var command *kong.Node
	for _, node := range model.Children {
		if len(before) > 0 && node.Name == before[0] {
			command = node
		}
	}
	if command == nil {
		return matching(commandNames(model), last)
	}
	if previous := before[len(before)-1]; strings.HasPrefix(previous, "--") {
		if flag := flagNamed(command, previous); flag != nil && !flag.IsBool() {
			return matching(values(flag.PlaceHolder), last)
		}
	}
	if strings.HasPrefix(last, "-") {
		return matching(flagNames(command), last)
	}
	for _, arg := range command.Positional {
		return matching(arg.EnumSlice(), last)
	}
	return nil
}

func commandNames(model *kong.Application) []string {
	var out []string
	for _, node := range model.Children {
		if !node.Hidden {
			out = append(out, node.Name)
		}
	}
	return out
}

func flagNames(command *kong.Node) []string {
	out := []string{"--help"}
	for _, flag := range command.Flags {
		out = append(out, "--"+flag.Name)
	}
	return out
}

func flagNamed(command *kong.Node, name string) *kong.Flag {
	for _, flag := range command.Flags {
		if "--"+flag.Name == name {
			return flag
		}
	}
	return nil
}

// values are the words of a placeholder such as file|inline|auto; those in
// capitals stand for something else.
func values(placeholder string) []string {
	if !strings.Contains(placeholder, "|") {
		return nil
	}
	var out []string
	for word := range strings.SplitSeq(placeholder, "|") {
		if word != strings.ToUpper(word) {
			out = append(out, word)
		}
	}
	return out
}

func matching(words []string, prefix string) []string {
	var out []string
	for _, w := range words {
		if strings.HasPrefix(w, prefix) {
			out = append(out, w)
		}
	}
	return out
}
