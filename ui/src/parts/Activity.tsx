import { Link } from "wouter";
import { subjectLink } from "../api/links";
import type { Entry } from "../api/types";
import { sentence, toneOf } from "../api/entries";
import { Time } from "./Basics";

/** Ledger entries as sentences, newest first. */
export function Activity({ entries }: { entries: Entry[] }) {
  return (
    <ul className="feed">
      {entries.map((entry) => {
        const link = subjectLink(entry);
        return (
          <li key={entry.index}>
            <span className={`dot ${toneOf(entry.type)}`} aria-hidden="true" />
            <div>
              {link ? <Link href={link}>{sentence(entry)}</Link> : sentence(entry)}
              <div className="feed-detail tiny mono">
                <Link href={`/ledger/${entry.index}`} className="muted">
                  #{entry.index} {entry.type}
                </Link>
              </div>
            </div>
            <span className="muted tiny">
              <Time value={entry.time} />
            </span>
          </li>
        );
      })}
    </ul>
  );
}
