public import Tensor

/// Two linear layers with an activation between them, row by row.
public struct MLP: RowLayer, Sendable {
  public let up: Linear
  public let down: Linear
  public let activation: Activation

  public init(up: Linear, down: Linear, activation: Activation) {
    self.up = up
    self.down = down
    self.activation = activation
  }

  /// `x` [rows, width] to the same shape, by way of [rows, inner].
  public func callAsFunction(_ x: Variable, on tape: Tape) -> Variable {
    down(tape.activation(up(x, on: tape), activation), on: tape)
  }
}

/// `down(activation(gate(x)) * up(x))`, the gated form (SwiGLU with SiLU; Shazeer, arXiv 2002.05202).
public struct GatedMLP: RowLayer, Sendable {
  public let gate: Linear
  public let up: Linear
  public let down: Linear
  public let activation: Activation

  public init(gate: Linear, up: Linear, down: Linear, activation: Activation) {
    self.gate = gate
    self.up = up
    self.down = down
    self.activation = activation
  }

  /// `x` [rows, width] to the same shape, by way of [rows, inner].
  public func callAsFunction(_ x: Variable, on tape: Tape) -> Variable {
    down(tape.gated(gate(x, on: tape), up(x, on: tape), activation), on: tape)
  }
}

/// As ``GatedMLP``, with gate and up as one projection, the gate's columns first.
public struct FusedGatedMLP: RowLayer, Sendable {
  public let gateUp: Linear
  public let down: Linear
  public let activation: Activation

  public init(gateUp: Linear, down: Linear, activation: Activation) {
    self.gateUp = gateUp
    self.down = down
    self.activation = activation
  }

  /// `x` [rows, width] to the same shape, by way of [rows, 2 * inner].
  public func callAsFunction(_ x: Variable, on tape: Tape) -> Variable {
    let both = gateUp(x, on: tape)
    let parts = tape.split(both, columns: [both.value.columns / 2, both.value.columns / 2])
    return down(tape.gated(parts[0], parts[1], activation), on: tape)
  }
}
