import { Component, type ReactNode } from "react";
import { Failure } from "../parts/Basics";

/** A page that fails to draw takes neither the navigation nor the other pages with it. */
export class Boundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  render() {
    if (!this.state.error) return this.props.children;
    return (
      <div className="page stack">
        <Failure error={this.state.error} />
        <div>
          <button type="button" className="button" onClick={() => this.setState({ error: null })}>
            Try again
          </button>
        </div>
      </div>
    );
  }
}
