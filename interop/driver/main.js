'use strict';

// The SDK under remote control: one JSON object a line, requests on standard
// input, answers and events on standard output.
//
//   {"id": 1, "call": "internal.conversation.post", "args": [...]}
//   {"id": 1, "result": ...}  or  {"id": 1, "error": {"message", "status"}}
//   {"event": "activity", "data": ...}
//
// A call names any function of the SDK's client by its path; that of a
// function in operations.js, without a dot, is the driver's own.

const readline = require('readline');

const {create} = require('./client');
const operations = require('./operations');
const {describe, revive, stringify} = require('./values');

const output = process.stdout.write.bind(process.stdout);
process.stdout.on('error', () => process.exit(1)); // the runner is gone
const send = (message) => output(`${stringify(message)}\n`);
const emit = (event, data) => send({event, data});

// Whatever else writes to standard output would break the protocol: the SDK
// does, before it has its logger.
process.stdout.write = (chunk, encoding, done) => {
  const callback = typeof encoding === 'function' ? encoding : done;
  if (callback) {
    process.nextTick(callback);
  }
  return true;
};

// That a token of limited scope cannot be limited further is in every run.
const complain = (level, args) => {
  const text = args.map(describe).join(' ');
  if (!text.includes('failed to downscope supertoken')) {
    emit('complaint', {level, text});
  }
};
process.on('unhandledRejection', (reason) => complain('unhandled', [reason]));

const webex = create(process.env.INTEROP_TOKEN, complain);

async function perform({call, args = []}) {
  const own = operations[call];
  if (own) {
    return own({webex, emit}, ...revive(args));
  }
  const path = call.split('.');
  const name = path.pop();
  const object = path.reduce((value, key) => value[key], webex);
  return object[name](...revive(args));
}

async function answer(request) {
  try {
    send({id: request.id, result: await perform(request)});
  } catch (error) {
    const {message, statusCode, status} = error || {};
    send({id: request.id, error: {message: message || describe(error), status: statusCode || status}});
  }
}

readline.createInterface({input: process.stdin}).on('line', (line) => answer(JSON.parse(line)));
process.stdin.on('end', () => process.exit(0));

emit('loaded', {version: webex.version});
