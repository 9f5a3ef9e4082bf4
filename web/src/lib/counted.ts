// What a number counts, for its tooltip.

export const COUNTED = {
  send: 'Sent: application bytes handed to the network by this program’s calls; headers are not included.',
  recv: 'Received: application bytes that this program’s calls took from the network; headers are not included.',
  total: 'Sent and received together: application bytes, without headers.',
  wire_send: 'Sent on the wire: bytes at the IP layer, with headers and what was sent again. A dash where that could not be measured.',
  wire_recv: 'Received on the wire: bytes at the IP layer, with headers. A dash where that could not be measured.',
  wire_total: 'Both ways on the wire: bytes at the IP layer, with headers and what was sent again. A dash where that could not be measured.',
  connections: 'Connections begun: calls to connect, connections accepted, sockets that listen. Protocols without connections have none.',
  failed: 'Attempts that never became a connection: refused, timed out, unreachable.',
  retrans: 'TCP segments that were sent again.',
  rtt_us: 'The best smoothed TCP round-trip time seen. A dash where none was measured.',
  events: 'Calls that sent or received.',
  share: 'Share of all that the filters let through.',
  peers: 'Different remote addresses in the last second.',
  flows: 'Sockets and peers that moved bytes in the last second.',
  rate: 'Application bytes a second, without headers.',
} as const;

export type Counted = keyof typeof COUNTED;
