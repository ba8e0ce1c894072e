package webexmsgtest

import (
	"net/http"

	"github.com/google/uuid"
)

// space answers with where the files of a room are uploaded.
func (x *exchange) space() {
	x.withRoom(x.r.PathValue("id"), func(*Room) map[string]any {
		return map[string]any{"spaceUrl": x.s.URL() + filesPath}
	})
}

func (x *exchange) createUpload() {
	id := uuid.NewString()
	x.s.mu.Lock()
	x.s.files[id] = &storedFile{uploader: x.person}
	x.s.mu.Unlock()
	address := x.s.URL() + filesPath + "/" + id
	x.json(http.StatusOK, map[string]any{"uploadUrl": address, "finishUploadUrl": address + "/finish"})
}

// upload takes the ciphertext. It needs no token: the address itself is the
// secret, as it is with the stores that Webex uses.
func (x *exchange) upload() {
	x.s.mu.Lock()
	f := x.s.files[x.r.PathValue("id")]
	fresh := f != nil && f.ciphertext == nil
	if fresh {
		f.ciphertext = x.body
	}
	x.s.mu.Unlock()
	if !fresh {
		x.fail(http.StatusNotFound, "no such upload")
		return
	}
	x.noContent(http.StatusOK)
}
