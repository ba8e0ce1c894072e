package webexmsgtest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
)

const filesPath = "/files"

// A File is what a message shares.
type File struct {
	Name     string
	MIMEType string // "" means application/octet-stream
	Content  []byte

	// Quarantined holds the file back from the REST API, as one that has
	// not been scanned for malware yet, until [Person.ScanFiles].
	Quarantined bool

	Width, Height int    // of an image, in pixels; 0: not known
	Thumbnail     []byte // a small image in JPEG; nil: none
}

// fileInfo is a file of a message. Guarded by Server.mu.
type fileInfo struct {
	File
	scr       scr
	thumbnail *scr
}

// scr is what opens an encrypted file: a "secure content reference".
type scr struct {
	Enc string `json:"enc"`
	Key string `json:"key"`
	IV  string `json:"iv"`
	AAD string `json:"aad"`
	Loc string `json:"loc"`
	Tag string `json:"tag,omitempty"`
}

// storedFile is what the file service has: ciphertext without its tag.
type storedFile struct {
	room       *Room   // its members may read it
	uploader   *Person // who may too
	ciphertext []byte
}

// sealFiles encrypts and stores files before a verb takes the lock: they may
// be large.
func (s *Server) sealFiles(r *Room, files []File) []*fileInfo {
	var list []*fileInfo
	for _, f := range files {
		if f.MIMEType == "" {
			f.MIMEType = "application/octet-stream"
		}
		info := &fileInfo{File: f, scr: s.storeFile(r, f.Content)}
		if f.Thumbnail != nil {
			thumbnail := s.storeFile(r, f.Thumbnail)
			info.thumbnail = &thumbnail
		}
		list = append(list, info)
	}
	return list
}

func (s *Server) storeFile(r *Room, content []byte) scr {
	id := uuid.NewString()
	c := newSCR(s.URL() + filesPath + "/" + id)
	key, iv := must(base64url.DecodeString(c.Key)), must(base64url.DecodeString(c.IV))
	sealed := newGCM(key).Seal(make([]byte, 0, len(content)+16), iv, content, []byte(c.AAD))
	c.Tag = base64url.EncodeToString(sealed[len(content):])

	s.mu.Lock()
	s.files[id] = &storedFile{room: r, ciphertext: sealed[:len(content)]}
	s.mu.Unlock()
	return c
}

// newSCR makes what is to open something at loc, by a new key.
func newSCR(loc string) scr {
	return scr{
		Enc: "A256GCM",
		Key: base64url.EncodeToString(randomBytes(32)),
		IV:  base64url.EncodeToString(randomBytes(12)),
		AAD: timestamp(time.Now()),
		Loc: loc,
	}
}

var base64url = base64.RawURLEncoding

func (c scr) json() string { return string(must(json.Marshal(c))) }

// fileItems needs s.mu.
func (s *Server) fileItems(r *Room, files []*fileInfo) []any {
	var items []any
	for _, f := range files {
		item := map[string]any{
			"objectType":  "file",
			"displayName": s.seal(r, f.Name),
			"fileSize":    len(f.Content),
			"mimeType":    f.MIMEType,
			"scr":         s.seal(r, f.scr.json()),
			"url":         f.scr.Loc,
		}
		if f.Quarantined {
			item["malwareQuarantineState"] = "unscanned"
		}
		if f.thumbnail != nil || f.Width > 0 {
			image := map[string]any{"objectType": "image", "width": f.Width, "height": f.Height}
			if f.thumbnail != nil {
				image["scr"] = s.seal(r, f.thumbnail.json())
				image["url"] = f.thumbnail.Loc
				image["mimeType"] = "image/jpeg"
			}
			item["image"] = image
		}
		items = append(items, item)
	}
	return items
}

func category(files []*fileInfo) string {
	for _, f := range files {
		if !strings.HasPrefix(f.MIMEType, "image/") {
			return "documents"
		}
	}
	return "images"
}

// ScanFiles ends the quarantine of a message's files: the room gets an update
// of its content with them as safe, with pages made of them. It panics if the
// message has no files.
func (p *Person) ScanFiles(r *Room, messageID string) string {
	a := &activity{verb: "update", message: true}
	return p.act(r, a, messageID, func() map[string]any {
		original := a.refers
		if original == nil || len(original.files) == 0 {
			panic("webexmsgtest: no message with files has the id " + messageID)
		}
		for _, f := range original.files {
			f.Quarantined = false
		}
		items := p.s.fileItems(r, original.files)
		for _, item := range items {
			file := item.(map[string]any)
			file["malwareQuarantineState"] = "safe"
			file["transcodedCollection"] = map[string]any{
				"items": []any{map[string]any{"objectType": "transcodedContent", "files": noItems()}},
			}
		}
		object := p.s.reference(messageID)
		object["objectType"] = "content"
		object["contentCategory"] = category(original.files)
		object["files"] = map[string]any{"items": items}
		return map[string]any{"object": object, "encryptionKeyUrl": r.key.uri}
	})
}

func (s *Server) fileRoutes(handle routeFunc) {
	handle("POST "+apiPath+"/download/endpoints", FilesEndpoint, authenticated, (*exchange).downloadEndpoints)
	handle("GET "+filesPath+"/{id}", FilesEndpoint, authenticated, (*exchange).download)
}

func (x *exchange) downloadEndpoints() {
	var req struct {
		Endpoints []string `json:"endpoints"`
	}
	if !x.decode(&req) {
		return
	}
	real := make(map[string]string)
	for _, address := range req.Endpoints {
		if id, ok := strings.CutPrefix(address, x.s.URL()+filesPath+"/"); ok && x.file(id) != nil {
			// A different address, so that one sees who asked for it.
			real[address] = address + "?signature=" + id[:min(len(id), 8)]
		}
	}
	x.json(http.StatusOK, map[string]any{"endpoints": real})
}

// download answers with the ciphertext.
func (x *exchange) download() {
	f := x.file(x.r.PathValue("id"))
	if f == nil {
		x.fail(http.StatusNotFound, "no such file")
		return
	}
	x.w.Header().Set("Content-Type", "application/octet-stream")
	x.write(http.StatusOK, f.ciphertext)
}

// file returns the file of this id if the caller may read it, or nil.
func (x *exchange) file(id string) *storedFile {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	f := x.s.files[id]
	if f == nil || (f.uploader != x.person && (f.room == nil || !f.room.has(x.person))) {
		return nil
	}
	return f
}
