'use strict';

const fs = require('fs');

// The plugins register themselves with the core when they are loaded.
require('@webex/internal-plugin-device');
require('@webex/internal-plugin-mercury');
require('@webex/internal-plugin-encryption');
require('@webex/internal-plugin-conversation');
require('@webex/plugin-people');
require('@webex/plugin-messages');
require('@webex/plugin-memberships');
require('@webex/plugin-rooms');
require('@webex/plugin-attachment-actions');
const {default: WebexCore} = require('@webex/webex-core');

// What the SDK lets through of the HTML that it sends and gets: as much as
// the clients that are built on it.
const mention = ['data-object-type', 'data-object-id', 'data-object-url', 'data-group-type'];
const tags = {
  'spark-mention': mention,
  'webex-mention': mention,
  a: ['href'],
  ...Object.fromEntries(['p', 'br', 'strong', 'b', 'em', 'i', 'code', 'pre', 'ul', 'ol', 'li'].map((tag) => [tag, []])),
};

// The authority of the KMS's static key, as the SDK takes it: without one it
// does not check the chain of the key's certificate.
const authority = fs
  .readFileSync(process.env.NODE_EXTRA_CA_CERTS, 'ascii')
  .replace(/-----[A-Z ]+-----|\s/g, '');

// create makes a client with the SDK's own settings, but for what makes it wait.
// complain(level, args) hears what the SDK logs as a warning or an error: its
// promises often end in a timeout or a stand-in text, and only its log says
// why.
function create(token, complain) {
  const webex = new WebexCore({
    credentials: {supertoken: {access_token: token, token_type: 'Bearer'}},
    config: {
      device: {ephemeral: true},
      mercury: {initialConnectionMaxRetries: 1},
      encryption: {
        caroots: [authority],
        // By default the SDK asks again after 6 s and gives up after a minute
        // and a half: nothing here takes that long unless it has failed.
        kmsInitialTimeout: 3000,
        kmsMaxTimeout: 6000,
        ecdhMaxTimeout: 6000,
      },
      conversation: {allowedInboundTags: tags, allowedOutboundTags: tags},
    },
  });
  const never = () => {};
  Object.assign(webex.logger, {
    error: (...args) => complain('error', args),
    warn: (...args) => complain('warn', args),
    log: never,
    info: process.env.INTEROP_VERBOSE ? (...args) => complain('info', args) : never,
    debug: never,
    trace: never,
  });
  return webex;
}

module.exports = {create};
