/**
 * Something of the host that a program may hold and hand back, but not look into: a stream, a handle, a resource.
 *
 * It is no RTFS map: `get` and keywords do not reach its properties, and it does not cross a frame.
 */
export abstract class HostObject {
  /** What `str` and the printer show between `#<` and `>`, such as `stream file.read`. Never contains secrets. */
  abstract get label(): string

  /** How the value looks in JSON output, such as `{"stream": "orders"}`. */
  abstract toJSON(): unknown
}
