/** What a program may touch. Everything that is left out is not granted. */
export interface PolicyOptions {
  /** Files and folders (with all below them) that may be read. */
  readonly read?: ReadonlyArray<string>
  /** Files and folders (with all below them) that may be written. */
  readonly write?: ReadonlyArray<string>
  /** `host:port` of peers that may be talked to. */
  readonly net?: ReadonlyArray<string>
  /** Connection strings of databases that may be used. */
  readonly db?: ReadonlyArray<string>
  /** Names of queues that may be used; `*` is any. */
  readonly queue?: ReadonlyArray<string>
  /** A folder in which all paths of programs resolve, absolute ones too, as after a chroot. */
  readonly fsRoot?: string
  /** Grants everything that the process itself may do. */
  readonly all?: boolean
}
