export { type Backoff, defaultBackoff } from "./Backoff.ts"
export { CheckpointRounds, type CheckpointRoundsOptions, type RoundCounts, type RoundOutcome } from "./CheckpointRounds.ts"
export { type ChildInfo, type LastExit } from "./Child.ts"
export { type ChildState } from "./child.machine.ts"
export { type ChildSpec, type Incarnation, type Restart } from "./ChildSpec.ts"
export { type ChildExit, type Directive } from "./Directive.ts"
export {
  BadSupervision,
  ChildAlreadyPresent,
  ChildEscalated,
  ChildNotFound,
  ChildNotStopped,
  ChildStartFailed,
  RestartIntensityExceeded,
  type SupervisorFailure,
  SupervisorNotRunning
} from "./errors.ts"
export { defaultChildIntensity, defaultIntensity, type RestartIntensity } from "./RestartIntensity.ts"
export { type RestartStrategy } from "./RestartStrategy.ts"
export { type ChildCounts, type StopReport, Supervisor } from "./Supervisor.ts"
export { type SupervisorState } from "./supervisor.machine.ts"
export { type ExitKind, type SupervisorEvent } from "./SupervisorEvent.ts"
export { type SupervisorOptions } from "./SupervisorOptions.ts"
