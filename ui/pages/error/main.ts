import "./error.css";
