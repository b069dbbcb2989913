import { useEffect, useState } from "react";
import { Icon } from "../parts/Icon";
import { dismiss, listen, type Toast } from "./notify";

export function Toasts() {
  const [toasts, setToasts] = useState<Toast[]>([]);
  useEffect(() => listen(setToasts), []);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {toasts.map((toast) => (
        <div key={toast.id} className={`toast ${toast.tone}`}>
          <div className="grow">
            <strong>{toast.title}</strong>
            {toast.detail && <p className="muted wrap">{toast.detail}</p>}
          </div>
          <button type="button" className="copy" aria-label="Close this message" onClick={() => dismiss(toast.id)}>
            <Icon name="close" size={14} />
          </button>
        </div>
      ))}
    </div>
  );
}
