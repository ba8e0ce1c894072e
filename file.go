package webexmsg

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/webexmsg/webexmsg/internal/gcmstream"
)

// What [Handler.OpenFile] and the reader that it returns report of a file.
var (
	// ErrFileCorrupt means that a file was altered or cut off on its way, or
	// that what came with it does not open it. Nothing that was read of it is
	// to be trusted.
	ErrFileCorrupt = errors.New("webexmsg: the file was altered or cut off")
	// ErrFileTooLarge means that a file is larger than it was said to be, or
	// than 4 GiB.
	ErrFileTooLarge = errors.New("webexmsg: the file is too large")
)

// maxFileSize bounds a file of which nobody says how large it is. Webex takes
// files of up to 2 GB.
const maxFileSize = 4 << 30

// File describes a file that was shared in a room. [Handler.OpenFile] has its
// content.
type File struct {
	// URL is where the encrypted file is kept.
	URL      string
	Name     string
	MIMEType string
	Size     int64 // bytes, in clear; 0 if not known
	// Width and Height are of an image, in pixels; 0 if not known.
	Width, Height int
	// Thumbnail is a small image of it, nil if there is none. It can be
	// opened as a file can.
	Thumbnail *File
	// MalwareQuarantineState is how far Webex has scanned it: "safe" when it
	// is done, whereupon message:updated is emitted. Only then does the REST
	// API give it out; OpenFile does not wait for that. Empty if Webex does
	// not say.
	MalwareQuarantineState string

	scr       string // a JWE of what opens the file
	keyURL    string // of the key that opens scr
	contentID string // ACTIVITY/INDEX; empty for thumbnails
	cluster   string
}

// RESTID is the file's id in the REST API, where its address is
// https://webexapis.com/v1/contents/ and this. Thumbnails have none.
func (f File) RESTID() string { return ToRESTID(KindContent, f.contentID, f.cluster) }

func (a *activity) files() []File {
	var files []File
	for i, f := range a.Object.Files.Items {
		keyURL := cmp.Or(f.EncryptionKeyURL, a.keyURL())
		file := File{
			URL: f.URL, Name: f.DisplayName, MIMEType: f.MIMEType, Size: f.FileSize,
			Width: cmp.Or(f.Width, f.Image.Width), Height: cmp.Or(f.Height, f.Image.Height),
			MalwareQuarantineState: f.MalwareQuarantineState,
			scr:                    f.SCR, keyURL: keyURL,
			contentID: a.messageID() + "/" + strconv.Itoa(i), cluster: a.cluster,
		}
		if f.Image.SCR != "" {
			file.Thumbnail = &File{
				URL: f.Image.URL, MIMEType: f.Image.MIMEType, Width: f.Image.Width, Height: f.Image.Height,
				scr: f.Image.SCR, keyURL: keyURL,
			}
		}
		files = append(files, file)
	}
	return files
}

// OpenFile downloads a file, or a thumbnail, and decrypts it while it is read,
// in little memory however large it is. ctx holds for the whole download, until
// Close, which the caller must call.
//
// A file is authentic only when all of it has been read and the reader has
// returned [io.EOF], for what proves it comes last. If it was tampered with or
// cut off the reader returns [ErrFileCorrupt] instead, after it has returned
// some of it: write a file that is to be kept under a temporary name, run or
// parse nothing of it before io.EOF, and throw it away on any other error.
// (Files of up to 64 KiB are returned only when they are proven.) A file that
// is larger than its Size ends in [ErrFileTooLarge].
//
// The address is one that Webex names. It must lead to Webex or to one of
// Config.AllowedHosts, or the error is [ErrHostNotAllowed].
func (h *Handler) OpenFile(ctx context.Context, f File) (io.ReadCloser, error) {
	ref, err := h.openSCR(ctx, f)
	if err != nil {
		return nil, err
	}
	limit := cmp.Or(max(f.Size, 0), maxFileSize)
	if limit > maxFileSize {
		return nil, ErrFileTooLarge
	}
	body, size, err := h.download(ctx, cmp.Or(f.URL, ref.Loc))
	if err != nil {
		return nil, fmt.Errorf("webexmsg: file: %w", err)
	}
	if size > limit {
		body.Close()
		return nil, ErrFileTooLarge
	}
	plain, err := gcmstream.NewReader(&limitedReader{body, limit}, ref.Key, ref.IV, []byte(ref.AAD), ref.Tag)
	if err != nil {
		body.Close()
		return nil, fmt.Errorf("%w: %w", ErrFileCorrupt, err)
	}
	return &fileReader{plain: plain, Closer: body}, nil
}

// scr is what opens an encrypted file, a "secure content reference" in Webex's
// words.
type scr struct {
	Enc string `json:"enc"`
	Key octets `json:"key"`
	IV  octets `json:"iv"`
	AAD string `json:"aad"`
	Tag octets `json:"tag"`
	Loc string `json:"loc"`
}

// octets are bytes in base64url. What is not that leaves them empty.
type octets []byte

func (o *octets) UnmarshalText(text []byte) error {
	*o, _ = base64.RawURLEncoding.DecodeString(strings.TrimRight(string(text), "="))
	return nil
}

func (h *Handler) openSCR(ctx context.Context, f File) (*scr, error) {
	if f.scr == "" || f.keyURL == "" {
		return nil, errors.New("webexmsg: the file did not come with what opens it")
	}
	h.mu.Lock()
	connected := h.session != nil
	h.mu.Unlock()
	patience := h.cfg.KeyTimeout
	if !connected {
		patience = 0 // a key that is known will do
	}
	key, err := h.kms.key(ctx, f.keyURL, patience)
	if err != nil {
		if !connected {
			err = ErrNotConnected
		}
		return nil, fmt.Errorf("webexmsg: the key of the file: %w", err)
	}
	plain, err := key.Open(f.scr)
	if err != nil {
		return nil, fmt.Errorf("%w: its reference: %w", ErrFileCorrupt, err)
	}
	var ref scr
	if json.Unmarshal(plain, &ref) != nil || ref.Enc != "A256GCM" { // what is wrong is secret
		return nil, fmt.Errorf("%w: its reference is not one of A256GCM", ErrFileCorrupt)
	}
	return &ref, nil
}

// download requests what is at a file's address, and says how large it is: -1
// if that is not known. Webex may have another address to download it from.
func (h *Handler) download(ctx context.Context, address string) (io.ReadCloser, int64, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, 0, errors.New("its address is not a URL")
	}
	ask := url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/v1/download/endpoints"}
	var answer struct {
		Endpoints map[string]string `json:"endpoints"`
	}
	_, err = h.rest.do(ctx, "download addresses", http.MethodPost, ask.String(), map[string][]string{"endpoints": {address}}, &answer)
	if err != nil {
		h.cfg.Logger.Debug("no download address, trying that of the file", "err", err)
	}
	req, err := h.rest.newRequest(ctx, h.creds.token(), http.MethodGet, cmp.Or(answer.Endpoints[address], address), nil)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Accept", "*/*")
	res, err := h.rest.http.Do(req)
	if err != nil {
		return nil, 0, withoutQuery(err)
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		return nil, 0, newAPIError(req, res, nil)
	}
	return res.Body, res.ContentLength, nil
}

// A fileReader returns a file in clear.
type fileReader struct {
	plain io.Reader
	io.Closer
}

func (r *fileReader) Read(p []byte) (int, error) {
	n, err := r.plain.Read(p)
	switch {
	case err == nil, err == io.EOF, errors.Is(err, ErrFileTooLarge):
	case errors.Is(err, gcmstream.ErrAuth):
		err = ErrFileCorrupt
	default:
		err = fmt.Errorf("webexmsg: file: %w", withoutQuery(err))
	}
	return n, err
}

// A limitedReader fails with ErrFileTooLarge where there is more than left.
type limitedReader struct {
	r    io.Reader
	left int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, ErrFileTooLarge
	}
	return n, err
}
