// A receiver in Go, with nothing but the standard library: it checks Standard Webhooks signatures by hand, keeps each
// message once, and answers before it works.
//
//	./waypost endpoints create http://127.0.0.1:9092/        # prints the secret
//	WEBHOOK_SECRET=whsec_… PORT=9092 go run examples/receiver.go
//	./waypost endpoints test http://127.0.0.1:9092/          # it answers, so it becomes active
package main

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	tolerance    = 5 * time.Minute
	bodyBytesMax = 1 << 20
)

// The part of an event that this receiver looks at.
type event struct {
	ID       string   `json:"id"`
	Type     string   `json:"type"`
	Topics   []string `json:"topics"`
	Sequence int64    `json:"sequence"`
	Data     struct {
		Job struct{ Reference, Status string } `json:"job"`
	} `json:"data"`
}

// An inbox keeps each message once, one a line. What it says is stored is on disk.
type inbox struct {
	sync.Mutex
	file *os.File
	seen map[string]bool
}

func openInbox(path string) (*inbox, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	box := &inbox{file: file, seen: map[string]bool{}}
	reader := bufio.NewReader(file)
	var whole int64
	for {
		line, err := reader.ReadBytes('\n')
		if err != nil {
			// A line that was cut off by a kill was never answered: it comes again.
			return box, file.Truncate(whole)
		}
		whole += int64(len(line))
		var kept event
		if json.Unmarshal(line, &kept) == nil {
			box.seen[kept.ID] = true
		}
	}
}

// store says whether the message is new.
func (box *inbox) store(id string, body []byte) (bool, error) {
	box.Lock()
	defer box.Unlock()
	if box.seen[id] {
		return false, nil
	}
	if _, err := box.file.Write(append(body, '\n')); err != nil {
		return false, err
	}
	if err := box.file.Sync(); err != nil {
		return false, err
	}
	box.seen[id] = true
	return true, nil
}

// verify says what is wrong with a message; nil when it is genuine.
func verify(secrets [][]byte, header http.Header, body []byte) error {
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if id == "" || err != nil {
		return errors.New("webhook-id or webhook-timestamp is missing")
	}
	if !matches(secrets, id+"."+timestamp+".", body, strings.Fields(header.Get("webhook-signature"))) {
		return errors.New("no signature matches: another secret, or a changed body")
	}
	if age := time.Since(time.Unix(seconds, 0)); age.Abs() > tolerance {
		return errors.New("the message is too old, or this clock is wrong")
	}
	return nil
}

func matches(secrets [][]byte, head string, body []byte, signatures []string) bool {
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		io.WriteString(mac, head)
		mac.Write(body)
		wanted := mac.Sum(nil)
		for _, signature := range signatures {
			given, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(signature, "v1,"))
			// hmac.Equal takes the same time wherever the two differ.
			if err == nil && strings.HasPrefix(signature, "v1,") && hmac.Equal(given, wanted) {
				return true
			}
		}
	}
	return false
}

// readSecrets takes one, or two with a blank between while a secret is rotated.
func readSecrets(text string) ([][]byte, error) {
	var secrets [][]byte
	for _, word := range strings.Fields(text) {
		secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(word, "whsec_"))
		if err != nil {
			return nil, errors.New("WEBHOOK_SECRET is not whsec_ followed by base64")
		}
		secrets = append(secrets, secret)
	}
	if len(secrets) == 0 {
		return nil, errors.New("WEBHOOK_SECRET is not set: ./waypost endpoints create http://127.0.0.1:9092/ prints one")
	}
	return secrets, nil
}

// workOff does what takes time, after the answer. Types that are not known are ignored.
func workOff(work <-chan []byte) {
	for body := range work {
		var one event
		if err := json.Unmarshal(body, &one); err != nil || !strings.HasPrefix(one.Type, "job.") {
			continue
		}
		fmt.Println(one.Sequence, one.Data.Job.Reference, one.Data.Job.Status, strings.Join(one.Topics, ", "))
	}
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("receiver: ")
	secrets, err := readSecrets(os.Getenv("WEBHOOK_SECRET"))
	if err != nil {
		log.Fatal(err)
	}
	box, err := openInbox(setting("INBOX", "inbox.ndjson"))
	if err != nil {
		log.Fatal(err)
	}
	work := make(chan []byte, 10_000)
	go workOff(work)

	http.HandleFunc("POST /", func(reply http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(reply, request.Body, bodyBytesMax))
		if err != nil {
			http.Error(reply, err.Error(), http.StatusBadRequest)
			return
		}
		if err := verify(secrets, request.Header, body); err != nil {
			http.Error(reply, err.Error(), http.StatusBadRequest)
			return
		}
		isNew, err := box.store(request.Header.Get("webhook-id"), body)
		if err != nil {
			http.Error(reply, err.Error(), http.StatusInternalServerError)
			return
		}
		if isNew {
			work <- body
		}
		// A repeat is answered like the first: it has arrived.
		reply.WriteHeader(http.StatusNoContent)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:"+setting("PORT", "9092"))
	if err != nil {
		log.Fatalf("%v: set PORT to another one", err)
	}
	fmt.Printf("Listening on http://%s/\n", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}
