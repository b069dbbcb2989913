import { useState } from "react";
import { Link } from "wouter";
import { fullTime, percent } from "../../api/format";
import { useGet } from "../../api/hooks";
import type { Endpoint, Served } from "../../api/types";
import { Card, Empty, Facts } from "../../parts/Basics";
import { Loaded } from "../../parts/Loaded";

interface Question {
  endpoint: string;
  clock: "server_time" | "event_time";
  time: string;
}

/** What served at a time, by the clock that is named. */
export function ServedAt() {
  const endpoints = useGet<Endpoint[]>("/api/v1/endpoints");
  const [question, setQuestion] = useState<Question | null>(null);
  const [clock, setClock] = useState<Question["clock"]>("server_time");
  const [name, setName] = useState("");
  const [time, setTime] = useState(() => new Date().toISOString().slice(0, 16));
  const endpoint = name || endpoints.data?.[0]?.name || "";
  return (
    <Card title="What served at a time" flush>
      <Loaded query={endpoints} rows={2}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title="No endpoint has served anything yet" />
          ) : (
            <form
              className="toolbar"
              onSubmit={(event) => {
                event.preventDefault();
                setQuestion({ endpoint, clock, time: `${time}:00Z` });
              }}
            >
              <select className="input" aria-label="Endpoint" value={endpoint} onChange={(event) => setName(event.target.value)}>
                {rows.map((row) => (
                  <option key={row.id}>{row.name}</option>
                ))}
              </select>
              <select className="input" aria-label="Clock" value={clock} onChange={(event) => setClock(event.target.value as Question["clock"])}>
                <option value="server_time">by the server's clock</option>
                <option value="event_time">by event time</option>
              </select>
              <input className="input" type="datetime-local" aria-label="Time (UTC)" value={time} onChange={(event) => setTime(event.target.value)} required />
              <button type="submit" className="button">
                Ask
              </button>
            </form>
          )
        }
      </Loaded>
      {question && <Answer question={question} />}
    </Card>
  );
}

function Answer({ question }: { question: Question }) {
  const served = useGet<Served>(`/api/v1/served/${encodeURIComponent(question.endpoint)}`, { query: { [question.clock]: question.time } });
  return (
    <div className="card-body">
      <Loaded query={served} rows={3}>
        {(answer) =>
          answer.served.length === 0 ? (
            <p className="muted">Nothing served then.</p>
          ) : (
            <Facts
              items={[
                ...answer.served.map((version): [string, React.ReactNode] => [
                  percent(version.weight / 100, 0),
                  <span key={version.revision}>
                    <Link href={`/models/${encodeURIComponent(version.model)}/${version.version}`}>
                      {version.model} {version.version}
                    </Link>
                    , revision {version.number}
                    {version.approved_by.length > 0 && `, approved by ${version.approved_by.join(", ")}`}
                  </span>,
                ]),
                ["Since", answer.since ? fullTime(answer.since) : ""],
                ["Shown by", answer.prediction ? <Link key="p" className="mono" href={`/predictions/${encodeURIComponent(answer.prediction)}`}>{answer.prediction}</Link> : ""],
                ["Entries", <Entries key="e" indices={answer.entries} />],
              ]}
            />
          )
        }
      </Loaded>
    </div>
  );
}

export function Entries({ indices }: { indices: number[] }) {
  if (indices.length === 0) return <span className="muted">none</span>;
  return (
    <span className="row">
      {indices.slice(0, 12).map((index) => (
        <Link key={index} href={`/ledger/${index}`} className="mono tiny">
          #{index}
        </Link>
      ))}
    </span>
  );
}
