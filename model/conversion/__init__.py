"""Between nets that spike and nets that do not: conversion, and the twins of section 4's energy
question."""
