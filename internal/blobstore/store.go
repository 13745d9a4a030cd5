package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// Config says where the store is and where else an input may come from.
type Config struct {
	// URL of the store: file:///dir, s3://bucket/prefix, gs://, azblob://, mem://.
	// A directory is created when missing.
	URL string
	// Inputs are URL prefixes outside the store that an input may come from; they
	// end at a slash: s3://bucket/in allows s3://bucket/in/a, not s3://bucket/input.
	Inputs []string
}

// Store reads and writes the objects below one URL. It is safe for concurrent use.
type Store struct {
	root   location
	bucket *blob.Bucket
	inputs []location

	mu     sync.Mutex
	others map[int]*blob.Bucket // buckets of inputs, opened when first asked for
}

// Object is one entry of a listing.
type Object struct {
	Key     string
	Size    int64
	ModTime time.Time
}

// Open opens the store and, of a directory, makes it. Close it after use.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	root, err := parseLocation(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("open the store %s: %w", shownURL(cfg.URL), err)
	}
	s := &Store{root: root, others: map[int]*blob.Bucket{}}
	for _, raw := range cfg.Inputs {
		loc, err := parseLocation(raw)
		if err != nil {
			return nil, fmt.Errorf("open the store: BATCHKEEPER_INPUTS has %s: %w", shownURL(raw), err)
		}
		s.inputs = append(s.inputs, loc)
	}
	if s.bucket, err = root.open(ctx); err != nil {
		return nil, fmt.Errorf("open the store %s: %w", root, err)
	}
	return s, nil
}

// Close releases the store's connections.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.bucket.Close()
	for _, b := range s.others {
		err = errors.Join(err, b.Close())
	}
	return err
}

// open opens the bucket whose keys are relative to the location.
func (l location) open(ctx context.Context) (*blob.Bucket, error) {
	u := url.URL{Scheme: l.scheme, Host: l.host}
	query := url.Values{}
	for name, values := range l.query {
		query[name] = values
	}
	if l.scheme == schemeFile {
		u.Path = l.dir()
		query.Set("create_dir", "true")
		query.Set("no_tmp_dir", "true") // a rename across file systems would fail
		query.Set("metadata", "skip")
	}
	u.RawQuery = query.Encode()
	bucket, err := blob.OpenBucket(ctx, u.String())
	if err != nil {
		return nil, fmt.Errorf("open bucket: %w", err)
	}
	if l.scheme != schemeFile && l.path != "" {
		bucket = blob.PrefixedBucket(bucket, l.path+"/")
	}
	return bucket, nil
}

// URL is where an object is, to be shown to people.
func (s *Store) URL(key string) string {
	at := s.root
	at.path = strings.TrimPrefix(at.path+"/"+key, "/")
	return at.String()
}

// Read opens length bytes of an object from offset on; length -1 means to its
// end. A range that reaches beyond the end gives what is there; one that begins
// beyond it is an error. The caller closes the reader.
func (s *Store) Read(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := CheckKey(key); err != nil {
		return nil, fmt.Errorf("read from the store: %w", err)
	}
	r, _, err := readRange(ctx, s.bucket, key, offset, length)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", shown(key), err)
	}
	return r, nil
}

// Stat is an object's size in bytes; ErrNotFound where there is none.
func (s *Store) Stat(ctx context.Context, key string) (int64, error) {
	if err := CheckKey(key); err != nil {
		return 0, fmt.Errorf("look into the store: %w", err)
	}
	attrs, err := s.bucket.Attributes(ctx, key)
	if err != nil {
		return 0, fmt.Errorf("look for %s: %w", shown(key), translate(err))
	}
	return attrs.Size, nil
}

// Delete removes an object; that there is none is no error.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return fmt.Errorf("delete from the store: %w", err)
	}
	if err := translate(s.bucket.Delete(ctx, key)); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("delete %s: %w", shown(key), err)
	}
	return nil
}

// List yields the objects below a folder, by key; the empty folder is the whole
// store. Unfinished writes are not objects. It ends at the first error.
func (s *Store) List(ctx context.Context, folder string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		prefix := strings.TrimSuffix(folder, "/")
		if prefix != "" {
			if err := CheckKey(prefix); err != nil {
				yield(Object{}, fmt.Errorf("list the store: %w", err))
				return
			}
			prefix += "/"
		}
		objects := s.bucket.List(&blob.ListOptions{Prefix: prefix})
		for {
			o, err := objects.Next(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Object{}, fmt.Errorf("list %s: %w", shown(folder), translate(err)))
				return
			}
			if CheckKey(o.Key) == nil && !yield(Object{Key: o.Key, Size: o.Size, ModTime: o.ModTime}, nil) {
				return
			}
		}
	}
}

// readRange opens a range alike for all stores, which differ in what they say
// to one that begins at or beyond the end. The size is the whole object's.
func readRange(ctx context.Context, b *blob.Bucket, key string, offset, length int64) (io.ReadCloser, int64, error) {
	if offset < 0 || length < -1 {
		return nil, 0, fmt.Errorf("offset %d, length %d: not a range", offset, length)
	}
	r, err := b.NewRangeReader(ctx, key, offset, length, nil)
	if err == nil && offset <= r.Size() {
		return r, r.Size(), nil
	}
	if err == nil {
		return nil, 0, errors.Join(beyond(offset, r.Size()), r.Close())
	}
	if err = translate(err); offset == 0 || errors.Is(err, ErrNotFound) {
		return nil, 0, err
	}
	attrs, statErr := b.Attributes(ctx, key)
	switch {
	case statErr != nil || offset < attrs.Size:
		return nil, 0, err
	case offset == attrs.Size:
		return io.NopCloser(strings.NewReader("")), attrs.Size, nil
	default:
		return nil, 0, beyond(offset, attrs.Size)
	}
}

func beyond(offset, size int64) error {
	return fmt.Errorf("the range begins at byte %d of %d: %w", offset, size, io.ErrUnexpectedEOF)
}

// translate adds ErrNotFound to a store's own error.
func translate(err error) error {
	if gcerrors.Code(err) == gcerrors.NotFound || errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return err
}

// shownURL quotes a URL for a message without what could be a secret in it.
func shownURL(raw string) string {
	bare, _, _ := strings.Cut(raw, "?")
	if scheme, rest, ok := strings.Cut(bare, "://"); ok {
		if _, after, found := strings.Cut(rest, "@"); found {
			bare = scheme + "://…@" + after
		}
	}
	return shown(filepath.ToSlash(bare))
}
