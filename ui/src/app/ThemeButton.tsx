import { Icon } from "../parts/Icon";
import { toggleTheme, useTheme } from "./theme";

export function ThemeButton() {
  const theme = useTheme();
  return (
    <button type="button" className="button quiet icon" aria-label={theme === "dark" ? "Use the light theme" : "Use the dark theme"} onClick={toggleTheme}>
      <Icon name={theme === "dark" ? "sun" : "moon"} />
    </button>
  );
}
