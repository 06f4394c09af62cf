/** Owns a broken tab: it says so and offers to start again, the other tabs live on. */
import { Component, type ReactNode } from "react";
import { ErrorNotice } from "@/shared/components/ErrorNotice";

export class Crash extends Component<{ children: ReactNode }, { error: unknown }> {
  state = { error: null as unknown };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  render() {
    if (this.state.error === null) return this.props.children;
    return <div className="page"><ErrorNotice error={this.state.error} onRetry={() => this.setState({ error: null })} /></div>;
  }
}
