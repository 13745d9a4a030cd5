package gatewaytest

import (
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// file is a file at the provider, with its bytes on disk.
type file struct {
	id, name, purpose  string
	path               string
	bytes              int64
	mutated            int64 // its size as last served, where a fault changed it: the provider knows what it wrote
	created, updated   time.Time
	batchID, sessionID string // of an output: the batch that made it
	sequence           int64
}

func (s *Server) fileCall(op Op, id string) call {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := call{op: op, fileID: id}
	if f := s.files[id]; f != nil {
		c.batchID, c.sessionID = f.batchID, f.sessionID
	}
	return c
}

func (f *file) object() object {
	return object{
		"id": f.id, "object": "file", "bytes": orDefault(f.mutated, f.bytes), "created_at": f.created.Unix(), "filename": f.name,
		"purpose": f.purpose, "status": "processed", "status_details": nil,
	}
}

func (s *Server) fileObject(id string) answer {
	return s.withFile(id, func(f *file) answer {
		s.mu.Lock()
		defer s.mu.Unlock()
		return answer{status: http.StatusOK, body: f.object(), header: s.providerHeader()}
	})
}

func (s *Server) content(id string, due faults) answer {
	return s.withFile(id, func(f *file) answer {
		served := *f
		mutated := int64(0)
		for _, fault := range due {
			if fault.Kind != FaultMutate {
				continue
			}
			if err := s.mutate(&served, fault); err != nil {
				return serverError()
			}
			mutated = served.bytes
		}
		s.mu.Lock()
		f.mutated = mutated
		s.mu.Unlock()
		return answer{status: http.StatusOK, file: &served, header: s.providerHeader()}
	})
}

func (s *Server) withFile(id string, use func(*file) answer) answer {
	s.mu.Lock()
	f := s.files[id]
	s.mu.Unlock()
	switch {
	case f != nil:
		return use(f)
	case s.opts.OpenAI:
		return s.provider(http.StatusNotFound, "invalid_request_error", "", "No such File object: "+id)
	case id == "":
		return s.flat(http.StatusBadRequest, "validation_error", "missing_file_id", nil)
	default:
		return s.flat(http.StatusNotFound, "not_found", "file_not_found_or_not_owned", object{"file_id": id})
	}
}

func (s *Server) sendFile(w http.ResponseWriter, a answer) {
	source, err := os.Open(a.file.path)
	if err != nil {
		s.send(w, serverError())
		return
	}
	defer func() { _ = source.Close() }()
	header := w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", a.file.name))
	header.Set("Content-Length", fmt.Sprint(a.file.bytes))
	w.WriteHeader(a.status)
	_, _ = io.Copy(struct{ io.Writer }{w}, source)
}

// upload takes POST /files. The body is read to its end first, as the gateway does, then the script and the quota
// have their say, then the provider looks at the parts.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	stored, read, problem := s.receive(r)
	s.exchange(w, r, call{op: OpUpload, fileID: stored.id}, func(faults) answer {
		switch {
		case read > uploadCap:
			return nested(http.StatusRequestEntityTooLarge, "validation_error", "batch_file_too_large", "", nil)
		case read == 0:
			return nested(http.StatusBadRequest, "validation_error", "batch_file_empty", "", nil)
		}
		if refusal, refused := s.uploadProvider(r); refused {
			return refusal
		}
		if refusal, refused := s.claimUpload(read); refused {
			return refusal
		}
		if problem != nil {
			return s.provider(http.StatusBadRequest, "invalid_request_error", "", problem.Error())
		}
		s.keep(stored, "")
		return answer{status: http.StatusOK, body: stored.object(), header: s.providerHeader()}
	})
}

func (s *Server) newFile(name, purpose string) *file {
	id := "file-" + s.ids.hex(22)
	return &file{id: id, name: name, purpose: purpose, path: filepath.Join(s.dir, id)}
}

// keep makes a stored file visible; note says where it came from.
func (s *Server) keep(f *file, note string) {
	now := s.clock.now()
	s.mu.Lock()
	s.sequence++
	f.created, f.updated, f.sequence = now, now, s.sequence
	s.files[f.id] = f
	s.mu.Unlock()
	s.journal.add(Entry{
		Kind: KindEffect, Op: EffectFileStored, FileID: f.id, BatchID: f.batchID, SessionID: f.sessionID,
		Note: fmt.Sprintf("%s %d bytes %s", f.purpose, f.bytes, note),
	})
}

// receive streams the multipart body to disk and counts all its bytes, framing included.
func (s *Server) receive(r *http.Request) (*file, int64, error) {
	f := s.newFile("", "")
	counted := &countingReader{from: io.LimitReader(r.Body, uploadCap+1)}
	r.Body = io.NopCloser(counted)
	problem := s.receiveParts(r, f)
	_, _ = io.Copy(io.Discard, counted)
	return f, counted.read, problem
}

func (s *Server) receiveParts(r *http.Request, f *file) error {
	parts, err := r.MultipartReader()
	if err != nil {
		return errors.New("could not parse multipart form")
	}
	seen := false
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errors.New("could not parse multipart form")
		}
		seen = seen || part.FormName() == "file"
		if err := s.receivePart(part, f); err != nil {
			return err
		}
	}
	switch {
	case !seen:
		return errors.New("'file' is a required property")
	case f.purpose != "batch":
		return fmt.Errorf("'%s' is not one of ['batch'] - 'purpose'", f.purpose)
	}
	return nil
}

func (s *Server) receivePart(part *multipart.Part, f *file) error {
	switch part.FormName() {
	case "purpose":
		value, err := io.ReadAll(io.LimitReader(part, 100))
		f.purpose = string(value)
		return err
	case "file":
		f.name = part.FileName()
		written, err := writeFile(f.path, func(w io.Writer) error {
			_, err := io.Copy(w, part)
			return err
		})
		f.bytes = written
		return err
	default:
		return nil
	}
}
