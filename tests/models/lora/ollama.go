// Executes a chat template as Ollama does: Go's text/template over .System and .Messages.
package main

import (
	"encoding/json"
	"os"
	"text/template"
)

type message struct {
	Role    string
	Content string
}

type case_ struct {
	Template string
	Messages []message
}

func main() {
	var cases []case_
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		panic(err)
	}
	var written []string
	for _, one := range cases {
		system := ""
		for _, m := range one.Messages {
			if m.Role == "system" {
				system = m.Content
			}
		}
		var sink builder
		parsed := template.Must(template.New("chat").Parse(one.Template))
		values := map[string]any{"System": system, "Messages": one.Messages, "Response": ""}
		if err := parsed.Execute(&sink, values); err != nil {
			panic(err)
		}
		written = append(written, string(sink))
	}
	if err := json.NewEncoder(os.Stdout).Encode(written); err != nil {
		panic(err)
	}
}

type builder []byte

func (b *builder) Write(data []byte) (int, error) {
	*b = append(*b, data...)
	return len(data), nil
}
