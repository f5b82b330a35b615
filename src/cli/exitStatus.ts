/** What a command's exit status says, after sysexits; `rtfs-streams --help` lists them. */
export const exitStatus = {
  done: 0,
  failed: 1,
  usage: 64,
  wrongInput: 65,
  unavailable: 69,
  limit: 70,
  busy: 73,
  io: 74,
  denied: 77
} as const

export type ExitStatus = (typeof exitStatus)[keyof typeof exitStatus]

/** By `_tag`. A test compares it with the tags that the sources define. */
export const statusByTag: Readonly<Record<string, ExitStatus>> = {
  UsageError: exitStatus.usage,
  InvalidHostOption: exitStatus.usage,

  MalformedBytes: exitStatus.wrongInput,
  UnencodableValue: exitStatus.wrongInput,
  FunctionNotPortable: exitStatus.wrongInput,
  FunctionNotLoadable: exitStatus.wrongInput,
  InvalidCall: exitStatus.wrongInput,
  InvalidResult: exitStatus.wrongInput,
  UnknownCapability: exitStatus.wrongInput,
  BindingsFailure: exitStatus.wrongInput,
  CheckpointRefused: exitStatus.wrongInput,
  UndecodableFile: exitStatus.wrongInput,
  InvalidMailboxBounds: exitStatus.wrongInput,
  MalformedFile: exitStatus.wrongInput,
  MalformedMessage: exitStatus.wrongInput,
  UnwritableValue: exitStatus.wrongInput,
  UnboundedProgram: exitStatus.wrongInput,
  ValueTooDeep: exitStatus.wrongInput,
  ValueTooLarge: exitStatus.wrongInput,

  // Their cause may say more.
  ActorFailure: exitStatus.failed,
  ItemFailure: exitStatus.failed,
  HandleMisuse: exitStatus.failed,
  NeedsRun: exitStatus.failed,
  RecoveryFailed: exitStatus.failed,
  StreamCancelled: exitStatus.failed,
  EvaluationCancelled: exitStatus.failed,

  CircuitOpen: exitStatus.unavailable,
  DatabaseFailure: exitStatus.unavailable,
  McpFailure: exitStatus.unavailable,
  NetworkFailure: exitStatus.unavailable,
  QueueFailure: exitStatus.unavailable,
  ServiceFailure: exitStatus.unavailable,
  BoundExceeded: exitStatus.limit,
  ItemTimeout: exitStatus.limit,
  MailboxFull: exitStatus.limit,
  MemoryExhausted: exitStatus.limit,
  ProgramTimeout: exitStatus.limit,
  RateExceeded: exitStatus.limit,
  TrialTimeout: exitStatus.limit,
  WorkerDied: exitStatus.limit,
  // Seen only when something of ours goes on after its end, so they count as internal errors.
  HostUnavailable: exitStatus.limit,
  MailboxClosed: exitStatus.limit,
  PoolClosed: exitStatus.limit,

  DataDirectoryInUse: exitStatus.busy,
  StreamFenced: exitStatus.busy,
  StreamInUse: exitStatus.busy,
  CheckpointDamaged: exitStatus.io,
  CheckpointOfOtherVersion: exitStatus.io,
  DamagedSegment: exitStatus.io,
  FileFailure: exitStatus.io,
  SegmentFailed: exitStatus.io,
  SpillFailure: exitStatus.io,
  StoreFailure: exitStatus.io,

  PermissionDenied: exitStatus.denied,
  TokenRefused: exitStatus.denied
}

/** By what `(:type e)` gives, for the failures of a program that are more than that. */
const ofType: Readonly<Record<string, ExitStatus>> = {
  "capability-denied": exitStatus.denied,
  "unknown-capability": exitStatus.wrongInput,
  "network-error": exitStatus.unavailable,
  "budget-exhausted": exitStatus.limit,
  "stack-overflow": exitStatus.limit,
  timeout: exitStatus.limit
}

const ofKind: Readonly<Record<string, ExitStatus>> = {
  read: exitStatus.wrongInput,
  syntax: exitStatus.wrongInput,
  limit: exitStatus.limit
}

/** Operating system errors that mean more than "a file could not be read or written". */
const ofCode: Readonly<Record<string, ExitStatus>> = {
  EACCES: exitStatus.denied,
  EPERM: exitStatus.denied,
  ECONNREFUSED: exitStatus.unavailable,
  ECONNRESET: exitStatus.unavailable,
  EHOSTUNREACH: exitStatus.unavailable,
  ENETUNREACH: exitStatus.unavailable,
  ENOTFOUND: exitStatus.unavailable,
  ETIMEDOUT: exitStatus.unavailable
}

/** Whether it is an expected failure, which explains itself; anything else is a fault of ours. */
export const isExpected = (error: unknown): boolean => statusOfOne(error) !== undefined

/**
 * The exit status for an error: the most specific one on the way from it to its first cause.
 *
 * A failure that only says "the program failed" may have been caused by a denied permission; an error that nobody
 * foresaw counts as an internal error, as in sysexits.
 */
export const exitStatusOf = (error: unknown): ExitStatus => {
  let status: ExitStatus | undefined
  let current = error
  for (let depth = 0; depth < 16 && current !== undefined && current !== null; depth++) {
    const own = statusOfOne(current)
    if (own !== undefined && own !== exitStatus.failed) return own
    status ??= own
    current = (current as { readonly cause?: unknown }).cause
  }
  return status ?? exitStatus.limit
}

const statusOfOne = (error: unknown): ExitStatus | undefined => {
  if (typeof error !== "object" || error === null) return undefined
  const { _tag, code, kind, name, type } = error as Readonly<Record<string, unknown>>
  const tagged = lookUp(statusByTag, _tag)
  if (tagged !== undefined) return tagged
  // RTFS failures and error values of programs have a `type` for `(:type e)`: a name, or a keyword.
  if (name === "RtfsError" || _tag === "RtfsError") return lookUp(ofKind, kind) ?? lookUp(ofType, type) ?? exitStatus.failed
  if (typeof code === "string" && "syscall" in error) return lookUp(ofCode, code) ?? exitStatus.io
  return undefined
}

const lookUp = (table: Readonly<Record<string, ExitStatus>>, key: unknown): ExitStatus | undefined =>
  typeof key === "string" && Object.hasOwn(table, key) ? table[key] : undefined
