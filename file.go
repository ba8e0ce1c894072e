package webexmsg

import (
	"cmp"
	"strconv"
)

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
