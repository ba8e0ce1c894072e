package webexmsgtest

// restMessage is what the public REST API shows of a message.
type restMessage struct {
	text, html string
	markdown   string
	mentions   []*Person
	mentionAll bool
	parentID   string
	cards      []any
	inputs     any // of a submitted card
}

func newRESTMessage(m Message) *restMessage {
	return &restMessage{
		text: m.Text, html: m.HTML, mentions: m.Mentions, mentionAll: m.MentionAll,
		parentID: m.ParentID, cards: m.Cards,
	}
}
