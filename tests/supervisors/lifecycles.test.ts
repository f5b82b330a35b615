import { describe, expect, it } from "vitest"
import { afterSignal, type ChildSignal, type ChildState, newChild } from "../../src/supervisors/child.machine.ts"
import {
  afterSupervisorSignal,
  newSupervisor,
  type SupervisorSignal,
  type SupervisorState
} from "../../src/supervisors/supervisor.machine.ts"

const child = (...types: Array<ChildSignal["type"]>): ChildState =>
  types.reduce((before, type) => afterSignal(before, { type }), newChild).value

const supervisor = (...types: Array<SupervisorSignal["type"]>): SupervisorState =>
  types.reduce((before, type) => afterSupervisorSignal(before, { type }), newSupervisor).value

describe("the lifecycle of a child", () => {
  it("goes up, down and up again", () => {
    expect(child()).toBe("stopped")
    expect(child("scheduled")).toBe("waiting")
    expect(child("scheduled", "began")).toBe("starting")
    expect(child("scheduled", "began", "becameReady")).toBe("running")
    expect(child("scheduled", "began", "becameReady", "stopRequested")).toBe("stopping")
    expect(child("scheduled", "began", "becameReady", "stopRequested", "ended", "scheduled")).toBe("waiting")
  })

  it("can end in every state in which it has a life, and be withdrawn while it waits for one", () => {
    expect(child("scheduled", "began", "ended")).toBe("stopped")
    expect(child("scheduled", "began", "becameReady", "ended")).toBe("stopped")
    expect(child("scheduled", "began", "stopRequested", "ended")).toBe("stopped")
    expect(child("scheduled", "withdrawn")).toBe("stopped")
  })

  it("refuses a signal that has no place in its state, and says which", () => {
    expect(() => child("ended")).toThrow(`A child that is stopped can't take "ended"`)
    expect(() => child("scheduled", "began", "began")).toThrow("starting")
  })
})

describe("the lifecycle of a supervisor", () => {
  it("ends as stopped when it was asked to, and as failed when it gave up", () => {
    expect(supervisor("started", "stopRequested", "allDown")).toBe("stopped")
    expect(supervisor("started", "escalated", "allDown")).toBe("failed")
    expect(supervisor("startFailed", "allDown")).toBe("failed")
    expect(supervisor("stopRequested", "allDown")).toBe("stopped")
  })

  it("keeps to the first reason to stop", () => {
    expect(supervisor("started", "stopRequested", "escalated", "allDown")).toBe("stopped")
    expect(supervisor("started", "escalated", "stopRequested", "allDown")).toBe("failed")
    expect(supervisor("stopRequested", "started")).toBe("stopping")
  })

  it("is over for good", () => {
    expect(supervisor("started", "stopRequested", "allDown", "started", "escalated")).toBe("stopped")
  })
})
