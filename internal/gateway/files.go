package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
)

// Upload sends an input file once, streaming it. A lost answer leaves a file
// behind that nobody can list, which costs nothing.
func (c *Client) Upload(ctx context.Context, req UploadRequest) (File, error) {
	const op = "upload file"
	if req.Body == nil || req.Filename == "" {
		return File{}, invalid(op, errors.New("a file name and a body are needed"))
	}
	form, err := newForm(req)
	if err != nil {
		return File{}, invalid(op, err)
	}
	r := &call{
		op: op, method: http.MethodPost, path: "files", body: form.body, length: form.length,
		header: map[string]string{"Content-Type": form.contentType},
	}
	if c.config.Dialect == Phaseo {
		r.setHeader("x-phaseo-provider", req.Provider)
		r.setHeader("x-phaseo-model", req.Model)
	}
	return c.fileOf(ctx, r)
}

// File reads a file's metadata.
func (c *Client) File(ctx context.Context, id string) (File, error) {
	const op = "read file"
	path, err := below("files", id)
	if err != nil {
		return File{}, invalid(op, err)
	}
	return c.fileOf(ctx, &call{op: op, method: http.MethodGet, path: path})
}

func (c *Client) fileOf(ctx context.Context, r *call) (File, error) {
	a, err := c.do(ctx, r)
	if err != nil {
		return File{}, err
	}
	f, err := decodeFile(a)
	if err == nil && f.ID == "" {
		err = errNoID
	}
	if err != nil {
		return File{}, r.unusable(a, err)
	}
	return f, nil
}

// Content opens a file's bytes; the caller closes the body.
func (c *Client) Content(ctx context.Context, id string) (*Content, error) {
	const op = "read file content"
	path, err := below("files", id)
	if err != nil {
		return nil, invalid(op, err)
	}
	r := &call{op: op, method: http.MethodGet, path: path + "/content", header: map[string]string{"Accept": "*/*"}, stream: true}
	a, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	if encoded(a.header) {
		_ = a.stream.Body.Close()
		return nil, r.unusable(a, errEncoded)
	}
	return &Content{Body: a.stream.Body, Length: a.stream.ContentLength}, nil
}

func (r *call) setHeader(name, value string) {
	if value != "" {
		r.header[name] = value
	}
}

// form is a multipart body around a file that is not read yet.
type form struct {
	body        io.Reader
	length      int64 // -1: unknown
	contentType string
}

func newForm(req UploadRequest) (form, error) {
	var frame bytes.Buffer
	w := multipart.NewWriter(&frame)
	if err := w.WriteField("purpose", "batch"); err != nil {
		return form{}, err
	}
	header := textproto.MIMEHeader{}
	header.Set("Content-Disposition", multipart.FileContentDisposition("file", req.Filename))
	header.Set("Content-Type", "application/jsonl")
	if _, err := w.CreatePart(header); err != nil {
		return form{}, err
	}
	head := bytes.Clone(frame.Bytes())
	if err := w.Close(); err != nil {
		return form{}, err
	}
	tail := frame.Bytes()[len(head):]
	f := form{body: io.MultiReader(bytes.NewReader(head), req.Body, bytes.NewReader(tail)), length: -1, contentType: w.FormDataContentType()}
	if req.Size >= 0 {
		f.length = int64(frame.Len()) + req.Size
	}
	return f, nil
}
