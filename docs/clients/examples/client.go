// A client for `harness torture --loop` in Go: it resumes after the last event id until the interaction has ended.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

type Task struct {
	BaseURL     string `json:"base_url"`
	Interaction string `json:"interaction"`
	Case        string `json:"case"`
}

type Answer struct {
	Case   string `json:"case"`
	Text   string `json:"text"`
	Status string `json:"status,omitempty"`
	Error  string `json:"error,omitempty"`
}

type Event struct {
	Type        string                      `json:"event_type"`
	ID          string                      `json:"event_id"`
	Delta       struct{ Type, Text string } `json:"delta"`
	Interaction struct{ Status string }     `json:"interaction"`
}

// A reader keeps what it has: the text, how much of it came up to the cursor, and the ids of its events.
type Reader struct {
	text, cursor, status string
	kept                 int
	seen                 map[string]bool
}

// read reads one connection; it reports whether the interaction has ended.
func (r *Reader) read(task Task) bool {
	query := url.Values{"stream": {"true"}}
	if r.cursor != "" {
		query.Set("last_event_id", r.cursor)
	}
	r.text = r.text[:r.kept] // what came after the cursor comes again
	request, _ := http.NewRequest("GET", task.BaseURL+"/v1beta/interactions/"+task.Interaction+"?"+query.Encode(), nil)
	request.Header.Set("x-goog-api-key", "any")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		data := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "data:"))
		if !strings.HasPrefix(lines.Text(), "data:") || data == "[DONE]" {
			continue
		}
		var event Event
		if json.Unmarshal([]byte(data), &event) != nil {
			return false // a broken frame is asked for again
		}
		if event.Type == "error" || r.seen[event.ID] {
			continue
		}
		if event.Delta.Type == "text" {
			r.text += event.Delta.Text
		}
		if event.ID != "" {
			r.cursor, r.kept, r.seen[event.ID] = event.ID, len(r.text), true
		}
		if event.Type == "interaction.completed" {
			r.status = event.Interaction.Status
			return true
		}
	}
	return false
}

func main() {
	tasks := bufio.NewScanner(os.Stdin)
	for tasks.Scan() {
		var task Task
		json.Unmarshal(tasks.Bytes(), &task)
		answer, reader := Answer{Case: task.Case}, Reader{seen: map[string]bool{}}
		for tries := 1; !reader.read(task); tries++ {
			if tries == 6 {
				answer.Error = "gave up"
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		answer.Text, answer.Status = reader.text, reader.status
		line, _ := json.Marshal(answer)
		fmt.Println(string(line))
	}
}
