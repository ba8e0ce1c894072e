'use strict';

const {constructHydraId, getHydraClusterString} = require('@webex/common');
const {ShareActivity} = require('@webex/internal-plugin-conversation');

// What the SDK has no single function for.

// The SDK's public events, by the plugin that fires them.
const events = {
  messages: ['created', 'updated', 'deleted'],
  memberships: ['created', 'updated', 'deleted', 'seen'],
  rooms: ['created', 'updated'],
  attachmentActions: ['created'],
};

// Connects as a client that listens: device, socket, key exchange. It tells of
// every activity, decrypted, and of each of the SDK's public events.
async function listen({webex, emit}) {
  await connect({webex});
  webex.internal.mercury.on('event:conversation.activity', ({data, sequenceNumber}) =>
    emit('activity', {sequenceNumber, activity: data.activity})
  );
  for (const [plugin, names] of Object.entries(events)) {
    await webex[plugin].listen();
    for (const name of names) {
      webex[plugin].on(name, (data) => emit('public', {plugin, name, data}));
    }
  }
}

// Connects as far as a client that only sends needs.
async function connect({webex}) {
  await webex.internal.device.register();
  await webex.internal.mercury.connect();
  // The SDK puts the key exchange off until it needs a key.
  await webex.internal.encryption.kms.ping();
  const {url, userId, webSocketUrl} = webex.internal.device;
  return {url, userId, webSocketUrl};
}

async function disconnect({webex}) {
  await webex.internal.mercury.disconnect();
  await webex.internal.device.unregister();
}

// Shares files with a text, as clients do it: conversation.share takes no text.
async function share({webex}, conversation, text, files) {
  const activity = ShareActivity.create(conversation, null, webex);
  files.forEach((file) => activity.add(file));
  activity.object = {displayName: text};
  return webex.internal.conversation.share(conversation, activity);
}

// The content of a file of an activity that came decrypted. It is fetched by
// the activity's id, since what opens it cannot leave the SDK.
async function download({webex}, conversationUrl, activityId, index) {
  const items = await webex.internal.conversation.listActivities({conversationUrl, limit: 100});
  const activity = items.find(({id}) => id === activityId);
  const item = activity.object.files.items[index];
  return Buffer.from(await webex.internal.conversation.download(item));
}

// The ids that the REST API has for what Mercury names, in the cluster of url.
async function restIDs({webex}, url, ids) {
  const cluster = getHydraClusterString(webex, url);
  return ids.map(({kind, of}) => constructHydraId(kind, of, cluster));
}

// Lets n acknowledgements on their way out go missing.
async function withholdAcks({webex}, n) {
  const socket = webex.internal.mercury.socket;
  const send = socket.send.bind(socket);
  let left = n;
  socket.send = (data) => {
    if (data && data.type === 'ack' && left > 0) {
      left -= 1;
      return Promise.resolve();
    }
    return send(data);
  };
}

// Any request with the SDK's own headers and token.
async function request({webex}, options) {
  const {statusCode, body} = await webex.request(options);
  return {statusCode, body};
}

module.exports = {connect, disconnect, download, listen, request, restIDs, share, withholdAcks};
