'use strict';

// What crosses the protocol, on its way in and out.

// revive turns {"$file": {"name", "type", "base64"}} into a file as the SDK
// takes one in Node: a buffer with a name and a type.
function revive(value) {
  if (Array.isArray(value)) {
    return value.map(revive);
  }
  if (value === null || typeof value !== 'object') {
    return value;
  }
  if (value.$file) {
    const {name, type, base64} = value.$file;
    return Object.assign(Buffer.from(base64, 'base64'), {name, type});
  }
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, revive(member)]));
}

// stringify leaves out what is no JSON: the client itself, which many of the
// SDK's objects lead to, and what is on the way to where one stands.
function stringify(value) {
  const path = [];
  return JSON.stringify(value, function replace(key, member) {
    if (Buffer.isBuffer(this[key])) {
      return {$file: {base64: this[key].toString('base64')}};
    }
    if (member === null || typeof member !== 'object') {
      return typeof member === 'bigint' ? String(member) : member;
    }
    while (path.length > 0 && path[path.length - 1] !== this) {
      path.pop();
    }
    if (path.includes(member)) {
      return undefined;
    }
    path.push(member);
    return member;
  });
}

// describe makes one line of whatever was logged or thrown.
function describe(value) {
  if (value instanceof Error || (value && value.message)) {
    return String(value.message || value).split('\n', 1)[0];
  }
  return (typeof value === 'string' ? value : String(stringify(value))).split('\n', 2).join(' ');
}

module.exports = {describe, revive, stringify};
