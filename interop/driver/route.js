'use strict';

// Preloaded (--require) before the SDK: leads every connection to the
// simulated cloud's public host name, which resolves nowhere, to the loopback
// address where it listens, and refuses all others. So the SDK needs neither
// root nor port 443, and it cannot reach the real Webex.

const net = require('net');
const tls = require('tls');

const host = process.env.INTEROP_HOST;
const [address, port] = process.env.INTEROP_ADDRESS.split(':');

const tlsConnect = tls.connect;
tls.connect = (...args) => {
  const [options, callback] = net._normalizeArgs(args);
  if (options.host !== host) {
    return tlsConnect(options, callback); // which net.Socket refuses below
  }
  return tlsConnect({...options, host: address, port: Number(port), servername: host}, callback);
};

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function connectInside(...args) {
  const [options] = Array.isArray(args[0]) ? args[0] : net._normalizeArgs(args);
  if (options.host === address && String(options.port) === port) {
    return connect.apply(this, args);
  }
  const where = options.path || `${options.host}:${options.port}`;
  process.stderr.write(`refused: the SDK wanted to connect to ${where}\n`);
  process.nextTick(() => this.destroy(new Error(`interop: ${where} is not the simulated cloud`)));
  return this;
};
